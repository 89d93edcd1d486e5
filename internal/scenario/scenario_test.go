package scenario

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what comes of the scenarios into their files; the diff is for review")

const folder = "../../testdata/scenarios"

// each runs a test for each scenario.
func each(t *testing.T, test func(t *testing.T, path string, s *Script)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios in %s: %v", folder, err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			s, err := Parse(path, string(text))
			if err != nil {
				t.Fatal(err)
			}
			test(t, path, s)
		})
	}
}

// TestScenarios plays the scripts, and holds what a user would see against what
// they say.
func TestScenarios(t *testing.T) {
	each(t, func(t *testing.T, path string, s *Script) {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Run()
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case got == string(want):
		case *rewrite:
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s\nTry: go test ./internal/scenario -run TestScenarios -rewrite, and review the diff", firstDifference(string(want), got))
		}
	})
}
