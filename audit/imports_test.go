package audit

import (
	"go/build"
	"slices"
	"strings"
	"testing"
)

// The package goes into the applications of other people, into their hot path
// and their dependency updates. So it brings nothing but the standard library,
// a hash and uuids.
func TestTheVocabularyBringsFewDependencies(t *testing.T) {
	allowed := []string{"github.com/google/uuid", "github.com/zeebo/xxh3"}
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(pkg.Imports) == 0 {
		t.Fatal("no imports were found")
	}
	for _, path := range pkg.Imports {
		first, _, _ := strings.Cut(path, "/")
		if strings.Contains(first, ".") && !slices.Contains(allowed, path) {
			t.Errorf("audit imports %s", path)
		}
	}
}
