package codecs_test

import (
	"context"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

// A shelf is a registry without schemas; a frozen one says which it would have.
type (
	shelf  struct{ label string }
	frozen struct{ shelf }
)

func (shelf) Schema(context.Context, uint32) (codecs.Schema, error) {
	return codecs.Schema{}, codecs.ErrNoSchema
}

func (frozen) Digest() string { return "5eed" }

func TestARegistryIsTheOneThatIsNamedOrTheOnlyOne(t *testing.T) {
	env := func(names ...string) *codecs.Env {
		e := &codecs.Env{Registries: map[string]codecs.Registry{}}
		for _, n := range names {
			e.Registries[n] = shelf{n}
		}
		return e
	}
	folder := &codecs.Env{Registries: map[string]codecs.Registry{"main": frozen{shelf{"main"}}}}
	const none = "rules[0].registry: is needed, and there is none; add one to schema_registries, or set framing raw, which needs none; with protobuf neither do fields by number"
	for _, tc := range []struct {
		env             *codecs.Env
		named           string
		want, err, have string
	}{
		{env("main"), "", "main", "", "main"},
		{env("main", "other"), "other", "other", "", "other"},
		{folder, "", "main@5eed", "", "main"},
		{folder, "main", "main@5eed", "", "main"},
		{nil, "", "", none, ""},
		{env(), "main", "", none, ""},
		{env("b", "a"), "", "", "rules[0].registry: is empty, and there are several; use a or b", ""},
		{env("b", "a"), "c", "", `rules[0].registry: "c" is none of schema_registries; use a or b`, ""},
	} {
		var p codecs.Problems
		r, identity := tc.env.RegistryOf(codecs.Rule{Registry: tc.named}, &p)
		have, err := "", ""
		switch r := r.(type) {
		case shelf:
			have = r.label
		case frozen:
			have = r.label
		}
		if e := p.Err(); e != nil {
			err = e.Error()
		}
		if identity != tc.want || err != tc.err || have != tc.have {
			t.Errorf("%q: got %q as %q, error %q; want %+v", tc.named, have, identity, err, tc)
		}
	}
}
