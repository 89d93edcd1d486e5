package codecs_test

import (
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

func TestAPathIsWrittenAsItIsRead(t *testing.T) {
	for text, names := range map[string]int{`ts`: 1, `meta.created`: 2, `a\.b`: 1, `a\.b.c`: 2, `a\\.b`: 2, `a\\\.b`: 1} {
		var p codecs.Problems
		f := codecs.NewFields(codecs.Rule{Fields: []string{text}}, &p)
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
		if path := f.Paths[0]; path.String() != text || len(path) != names {
			t.Errorf("%s is read as %q, and written %s", text, []string(path), path)
		}
	}
}
