package protobuf_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

// golden is what testdata/generate.py writes.
var golden struct {
	Events []struct {
		Name, Field, Numbers, Unit string
		Want                       int64
		Hex                        string
	}
	Frames []struct{ Type, Hex string }
}

func loadGolden(t testing.TB) {
	t.Helper()
	b, err := os.ReadFile("testdata/golden.json")
	if err == nil {
		err = json.Unmarshal(b, &golden)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestGoogleReadsTheSameTimes(t *testing.T) {
	loadGolden(t)
	for _, tc := range golden.Events {
		for _, rule := range []codecs.Rule{
			{Fields: []string{tc.Field}, Schemas: []string{"testdata/shop.pb"}, Message: "shop.Event"},
			{Fields: []string{tc.Field}, Schemas: []string{"testdata/shop.proto"}, Message: "shop.Event"},
			{Fields: []string{tc.Numbers}},
		} {
			if rule.Fields[0] == "" {
				continue // needs a schema
			}
			rule.Framing, rule.Unit = "raw", tc.Unit
			c := mustBuild(t, rule, nil)
			m := &codecs.Message{Value: mustHex(t, tc.Hex)}
			if ms, s := c.EventTime(m); s != codecs.Found || ms != tc.Want {
				t.Errorf("%s by %s is %s %d, want %d", tc.Name, c.Name(), s, ms, tc.Want)
			}
			if n := testing.AllocsPerRun(10, func() { c.EventTime(m) }); n != 0 {
				t.Errorf("%s by %s costs %v allocations", tc.Name, c.Name(), n)
			}
		}
	}
}

func TestConfluentNamesTheSameTypes(t *testing.T) {
	loadGolden(t)
	fields := map[string]string{"shop.Event": "i64", "shop.Meta": "created", "shop.Meta.Inner": "ts", "shop.Empty": "note"}
	bodies := map[string]string{"shop.Event": "2801", "shop.Meta": "12020801", "shop.Meta.Inner": "1001", "shop.Empty": "0a0131"}
	for _, tc := range golden.Frames {
		for other, field := range fields {
			c := mustBuild(t, codecs.Rule{Fields: []string{field}}, &codecs.Env{Registries: map[string]codecs.Registry{"main": shopRegistry(t)}})
			m := &codecs.Message{Value: mustHex(t, tc.Hex+bodies[tc.Type])}
			want := codecs.None
			if other == tc.Type {
				want = codecs.Found
			}
			mustLearn(t, c, m)
			if ms, s := c.EventTime(m); s != want || s == codecs.Found && ms != 1000 {
				t.Errorf("%s of a %s gives %s %d, want %s", field, tc.Type, s, ms, want)
			}
		}
	}
}

func mustHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
