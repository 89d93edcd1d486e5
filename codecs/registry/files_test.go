package registry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/registry"
)

// folder makes one with files of these contents by their paths.
func folder(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for file, text := range files {
		file = filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustDir(t *testing.T, dir string, missing registry.Missing) *registry.Files {
	t.Helper()
	f, err := registry.Dir("local", dir, missing)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFiles(t *testing.T) {
	const order = `syntax = "proto3"; import public "common/money.proto";
		/* import "gone.proto"; */ // import "gone.proto";
		import "google/protobuf/timestamp.proto";
		option (note) = "// no comment"; import 'other.proto';
		message importer { string s = 1; }`
	f := mustDir(t, folder(t, map[string]string{
		"17.avsc": `"string"`, "18.json": "{}", "19.proto": order,
		"common/money.proto": `import "common/base.proto";`, "common/base.proto": "base", "other.proto": `import weak "common/base.proto";`,
		".git/config": "x", ".hidden": "x",
	}), "")
	for id, want := range map[uint32]string{
		17: `AVRO "string" []`, 18: "JSON {} []",
		19: "PROTOBUF " + order + ` [{common/base.proto base} {common/money.proto import "common/base.proto";} {other.proto import weak "common/base.proto";}]`,
	} {
		s, err := f.Schema(context.Background(), id)
		if got := fmt.Sprintf("%s %s %v", s.Type, s.Text, s.Needs); err != nil || got != want {
			t.Errorf("schema %d is %s, %v; want %s", id, got, err, want)
		}
	}
}

// Kubernetes mounts files as links into a folder beside them that begins with dots.
func TestFilesThatAreLinks(t *testing.T) {
	dir := folder(t, map[string]string{"..2026/17.avsc": `"string"`})
	for from, to := range map[string]string{"..data": "..2026", "17.avsc": filepath.Join("..data", "17.avsc")} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Skip(err)
		}
	}
	if s, err := mustDir(t, dir, "").Schema(context.Background(), 17); err != nil || s.Text != `"string"` {
		t.Error(s, err)
	}
}

func TestFilesThatAreMissing(t *testing.T) {
	dir := folder(t, map[string]string{"17.avsc": `"string"`})
	_, err := mustDir(t, dir, "").Schema(context.Background(), 18)
	mustSay(t, err, "schema id 18 has no file in "+dir+" of registry local", "counting of the source waits", "restarted", "`missing: malformed` in schema_registries")
	if errors.Is(err, codecs.ErrNoSchema) {
		t.Errorf("%v is final", err)
	}
	if _, err = mustDir(t, dir, registry.Malformed).Schema(context.Background(), 18); !errors.Is(err, codecs.ErrNoSchema) {
		t.Errorf("%v is not final", err)
	}
}

func TestFoldersThatAreWrong(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"there is no file such as 17.avsc":                                    {"a.proto": "x"},
		"README.md: must be .avsc, .proto or .json":                           {"README.md": "x", "17.avsc": "x"},
		"order.avsc: must be named for the number of a schema":                {"order.avsc": "x", "17.avsc": "x"},
		"4294967296.avsc: must be named for":                                  {"4294967296.avsc": "x", "17.avsc": "x"},
		"sub/18.avsc: must be named for":                                      {"sub/18.avsc": "x", "17.avsc": "x"},
		"17.json: has the same number as 17.avsc":                             {"17.json": "x", "17.avsc": "x"},
		"17.avsc: has the same number as 017.avsc":                            {"017.avsc": "x", "17.avsc": "x"},
		"17.avsc: is empty":                                                   {"17.avsc": ""},
		"17.proto: needs common/money.proto, which is not there":              {"17.proto": `import "common/money.proto";`},
		"17.proto: a.proto refers to itself":                                  {"17.proto": `import "a.proto";`, "a.proto": `import "b.proto";`, "b.proto": `import "a.proto";`},
		"8.proto: needs b.proto, which is not there\n17.proto: needs a.proto": {"8.proto": `import "b.proto";`, "17.proto": `import "a.proto";`},
		`9.txt: must be .avsc, .proto or .json` + "\nthere is no ":            {"9.txt": ""},
	} {
		dir := folder(t, files)
		_, err := registry.Dir("local", dir, "")
		mustSay(t, err, "schemas of "+dir, want)
	}
	_, err := registry.Dir("local", filepath.Join(t.TempDir(), "none"), "")
	mustSay(t, err, "none", "no such file")
	_, err = registry.Dir("local", t.TempDir(), "skip")
	mustSay(t, err, `missing: "skip"`)
}

func TestDigest(t *testing.T) {
	digest := func(files map[string]string) string { return mustDir(t, folder(t, files), "").Digest() }
	a := digest(map[string]string{"17.avsc": "x", "18.avsc": "y", ".hidden": "1"})
	if b := digest(map[string]string{"18.avsc": "y", "17.avsc": "x"}); a != b || len(a) != 8 {
		t.Errorf("%s and %s of the same files", a, b)
	}
	for _, files := range []map[string]string{
		{"17.avsc": "x", "18.avsc": "z"}, {"17.avsc": "x", "19.avsc": "y"}, {"17.avsc": "x"},
		{"17.avsc": "x7:18.avsc1:y"}, {"17.avsc": "x", "18.avsc": "y", "a.proto": "z"},
	} {
		if digest(files) == a {
			t.Errorf("same digest of %v", files)
		}
	}
}
