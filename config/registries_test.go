package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/config"
)

func TestRegistries(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("17.avsc", `"long"`)
	token := write(".token", "tomato\n")

	c := mustLoad(t, `
schema_registries:
  - name: main
    urls: [https://u:pepper@registry:8081]
    token_file: ""
  - name: other
    urls: [http://other/api]
    token_file: `+token+`
    missing: malformed
  - name: files
    dir: `+dir+`
`, nil)
	all, err := c.Registries()
	if err != nil || len(all) != 3 {
		t.Fatalf("%v: %v", all, err)
	}
	if s, err := all["files"].Schema(t.Context(), 17); err != nil || s.Text != `"long"` {
		t.Errorf("%+v, %v", s, err)
	}
	if got := c.SchemaRegistries[0].Place(); strings.Contains(got, "pepper") || !strings.Contains(got, "registry:8081") {
		t.Errorf("it is at %s", got)
	}

	_, _, err = config.Load(config.Sources{File: write("wrong.yml", `
schema_registries:
  - name: "a b"
  - name: x
    urls: [registry:8081]
    password: p
    password_file: /does/not/exist
    token_file: /does/not/exist
    missing: ignore
    tls: {ca: x}
  - name: x
    urls: [http://r]
    dir: /does/not/exist
  - name: y
    dir: /does/not/exist
`)})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{
		`schema_registries[0].name: "a b" must be`, `schema_registries[0].urls: is empty`, `schema_registries[1].urls[0]: `,
		`schema_registries[1].password: is given, and password_file too`, `schema_registries[1].token_file: open /does/not/exist`, `schema_registries[1].missing: "ignore" must be wait or malformed`,
		`schema_registries[1].tls.enabled: is false`, `schema_registries[2].name: "x" is the name of another`, `schema_registries[2].dir: is given, and urls too`,
		`schema_registries[3].dir: `,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in\n%v", want, err)
		}
	}
}
