package avro_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/avro"
)

func TestAllProblemsOfARuleAreReported(t *testing.T) {
	good, broken := mustWrite(t, "good.avsc", event), mustWrite(t, "broken.avsc", `{"type":"record","name":"A","fields":[{"name":"b","type":"B"}]}`)
	same := mustWrite(t, "same.avsc", strings.Replace(event, `"name":"ts"`, `"doc":"when","name":"ts"`, 1))
	one := map[string]codecs.Registry{"main": registry{}}
	for _, tc := range []struct {
		rule codecs.Rule
		have map[string]codecs.Registry
		want string
	}{
		{codecs.Rule{}, nil, "registry: is needed, and there is none; .*"},
		{codecs.Rule{Framing: "confluent", Unit: "min"}, one, "unit: \"min\" is not a unit; .*\nframing: \"confluent\" is not a framing; use registry, single_object or raw"},
		{codecs.Rule{Schemas: []string{good}}, one, "schemas: are files, and framing registry reads none; leave them out, or set framing to single_object or raw"},
		{codecs.Rule{Framing: "raw", Registry: "main"}, one, "registry: is set, and framing raw asks none; leave it out\nschemas: are needed by framing raw; name .avsc files"},
		{codecs.Rule{Framing: "raw", Schemas: []string{good, same}}, nil, "schemas: are 2 files; framing raw has one schema for all messages"},
		{codecs.Rule{Framing: "single_object", Schemas: []string{"/nowhere", broken, good}}, nil,
			"schemas: open /nowhere: no such file or directory\nschemas: .*broken.avsc: unknown type \"B\""},
		{codecs.Rule{Framing: "single_object", Schemas: []string{good, same}}, nil,
			"schemas: .*avsc and .*avsc have the same fingerprint, so that no message tells which it means; leave one out"},
		{codecs.Rule{Fields: []string{"a..b"}, Framing: "raw", Schemas: []string{good}}, nil, `fields: "a..b" has a name of 0 bytes; .*`},
	} {
		c, err := avro.Builder.Build(tc.rule, &codecs.Env{Registries: tc.have})
		if err == nil || c != nil {
			t.Errorf("%+v is taken", tc.rule)
			continue
		}
		if !regexp.MustCompile(`\Arules\[0\]\.` + tc.want + `\z`).MatchString(strings.ReplaceAll(err.Error(), "\nrules[0].", "\n")) {
			t.Errorf("got\n%s\nwant\n%s", err, tc.want)
		}
	}
	if _, err := avro.Builder.Build(codecs.Rule{Framing: "raw", Schemas: []string{good}}, nil); err != nil {
		t.Errorf("without an environment: %v", err)
	}
}

func TestNameHoldsTheSettings(t *testing.T) {
	good, other := mustWrite(t, "good.avsc", event), mustWrite(t, "other.avsc", `{"type":"record","name":"Other","fields":[{"name":"ts","type":"long"}]}`)
	for _, tc := range []struct {
		want string
		rule codecs.Rule
	}{
		{"avro(registry=main)", codecs.Rule{}},
		{"avro(registry=main)", codecs.Rule{Framing: "registry", Registry: "main"}},
		{"avro(registry=main,fields=b|a.c,unit=us)", codecs.Rule{Fields: []string{"b", "a.c"}, Unit: "us"}},
		{"avro(framing=raw,schemas=28523366,fields=a,any-case)", codecs.Rule{Framing: "raw", Schemas: []string{good}, Fields: []string{"A"}, AnyCase: true}},
		{"avro(framing=single_object,schemas=744f1027)", codecs.Rule{Framing: "single_object", Schemas: []string{good, other}}},
		{"avro(framing=single_object,schemas=744f1027)", codecs.Rule{Framing: "single_object", Schemas: []string{other, good}}},
	} {
		if got := mustBuild(t, tc.rule, registry{}).Name(); got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
	}
	if got := mustBuild(t, codecs.Rule{Unit: "s"}, frozen{}).Name(); got != `avro(registry="main@5eed",unit=s)` {
		t.Errorf("of a folder: got %s", got)
	}
}

// A frozen registry has the same schemas for ever, of which it gives a hash.
type frozen struct{ registry }

func (frozen) Digest() string { return "5eed" }
