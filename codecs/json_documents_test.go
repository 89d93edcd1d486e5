package codecs_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

// What the grammar accepts gives what a full decode gives, with all settings; what it
// does not accept is malformed if it is read strictly, and never taken for anything that
// panics.
func TestDocumentsOfAllKinds(t *testing.T) {
	text, err := os.ReadFile("testdata/documents.txt")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		name, quoted, _ := strings.Cut(rest, ": ")
		text, err := strconv.Unquote(strings.TrimSpace(quoted))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		kinds[kind]++
		doc := []byte(text)
		if valid := json.Valid(doc); kind != "i" && valid != (kind == "y") {
			t.Errorf("%s: encoding/json thinks otherwise: %q", name, clip(text))
			continue
		}
		for _, rule := range variants {
			got, s := mustJSON(t, rule).EventTime(&codecs.Message{Value: doc[:len(doc):len(doc)]})
			switch {
			case json.Valid(doc):
				if want, ws := reference(doc, rule); s != ws || s == codecs.Found && got != want {
					t.Errorf("%s with %+v gives %s %d, want %s %d", name, rule, s, got, ws, want)
				}
			case rule.Strict && s != codecs.Malformed:
				t.Errorf("%s: %q is broken and gives %s %d", name, clip(text), s, got)
			}
		}
	}
	if kinds["y"] < 80 || kinds["n"] < 150 || kinds["i"] < 10 {
		t.Errorf("only %v documents", kinds)
	}
}
