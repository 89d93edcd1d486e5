package avro_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

// What other implementations write is read right; testdata/README.md says how they
// wrote it.
func TestValuesOfOtherImplementationsAreReadRight(t *testing.T) {
	for _, name := range []string{"fastavro.json", "java.json"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			Schema, Instant, Framing, Hex string
			Null                          bool
			MS                            *int64
		}
		if err := json.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		if len(cases) < 100 {
			t.Errorf("%s has only %d cases", name, len(cases))
		}
		for _, tc := range cases {
			var r codecs.Rule
			if strings.HasPrefix(tc.Schema, "nested") {
				r.Fields = []string{"meta.created"}
			}
			path := filepath.Join("testdata", "schemas", tc.Schema)
			var known registry
			if tc.Framing == "registry" {
				schema, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				known = registry{7: {Type: "AVRO", Text: string(schema)}}
			} else {
				r.Framing, _, _ = strings.Cut(tc.Framing, ",")
				r.Schemas = []string{path}
			}
			want := any(codecs.None)
			if tc.MS != nil {
				want = *tc.MS
			}
			if got := ask(t, mustBuild(t, r, known), &codecs.Message{Value: unhex(tc.Hex)}); got != want {
				t.Errorf("%s: %s, %s, null %t, %s: got %v, want %v", name, tc.Schema, tc.Instant, tc.Null, tc.Framing, got, want)
			}
		}
	}
}
