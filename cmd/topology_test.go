package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	document = "../topology.md"
	begin    = "<!-- generated: begin -->\n"
	end      = "<!-- generated: end -->"
)

// TestTopologyDocument holds the tables of topology.md against the goka graphs.
// `make topology` writes them anew.
func TestTopologyDocument(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(text), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s lacks %q or %q", document, begin, end)
	}
	var out, errs bytes.Buffer
	if status := (program{}).execute(t.Context(), []string{"topology", "--markdown"}, &out, &errs); status != 0 {
		t.Fatalf("status %d: %s", status, &errs)
	}
	if out.String() == old {
		return
	}
	if !*rewrite {
		t.Fatalf("the tables of %s are not those of the program.\nTry: make topology", document)
	}
	if err := os.WriteFile(document, []byte(before+begin+out.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTopologyNamesEveryFolder: a newcomer finds each folder in topology.md, and
// what topology.md links to is there; what it calls to come is not.
func TestTopologyNamesEveryFolder(t *testing.T) {
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	linked := map[string]bool{}
	for _, piece := range strings.Split(string(text), "](")[1:] {
		path, _, _ := strings.Cut(piece, ")")
		if strings.Contains(path, "://") {
			continue
		}
		linked[path] = true
		if _, err := os.Stat(filepath.Join("..", path)); err != nil {
			t.Errorf("topology.md links to %s: %v", path, err)
		}
	}
	if len(linked) < 10 {
		t.Fatalf("only %d links found", len(linked))
	}
	for _, dir := range []string{"reader", "web"} {
		if _, err := os.Stat(filepath.Join("..", dir)); err == nil {
			t.Errorf("%s is here, and topology.md calls it to come", dir)
		}
	}
	for _, pattern := range []string{"../*", "../processors/*", "../internal/*"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			name := strings.TrimPrefix(dir, "../")
			if info, err := os.Stat(dir); err != nil || !info.IsDir() || name[0] == '.' || name == "bin" || name == "chaperone-data" {
				continue
			}
			covered := false
			for path := range linked {
				covered = covered || path == name || strings.HasPrefix(path, name+"/")
			}
			if !covered {
				t.Errorf("topology.md does not name the folder %s", name)
			}
		}
	}
}
