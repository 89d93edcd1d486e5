package protobuf_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/protobuf"
)

// A frozen registry has the same schemas for ever, of which it gives a hash.
type frozen struct{ registry }

func (*frozen) Digest() string { return "5eed" }

func TestTheNameHoldsWhatDecides(t *testing.T) {
	one := &codecs.Env{Registries: map[string]codecs.Registry{"main": &registry{}}}
	two := &codecs.Env{Registries: map[string]codecs.Registry{"main": &registry{}, "o th": &registry{}}}
	folder := &codecs.Env{Registries: map[string]codecs.Registry{"main": &frozen{}}}
	shop := []string{"testdata/shop.proto"}
	for _, tc := range []struct {
		want string
		rule codecs.Rule
		env  *codecs.Env
	}{
		{"protobuf(fields=5)", codecs.Rule{Fields: []string{"5"}}, nil},
		{"protobuf(fields=5)", codecs.Rule{Fields: []string{"5"}, Framing: "registry"}, one},
		{"protobuf(framing=raw,fields=7|3.1,unit=us)", codecs.Rule{Fields: []string{"7", "3.1", "7"}, Framing: "raw", Unit: "us"}, nil},
		{"protobuf(registry=main)", codecs.Rule{}, one},
		{"protobuf(registry=main)", codecs.Rule{Registry: "main"}, two},
		{`protobuf(registry="main@5eed",unit=s)`, codecs.Rule{Unit: "s"}, folder},
		{`protobuf(registry="o th",fields=b|a,any-case,unit=s)`, codecs.Rule{Registry: "o th", Fields: []string{"b", "A"}, AnyCase: true, Unit: "s"}, two},
		{"protobuf(framing=raw,message=shop.Event,schema=ddd1f4e4,fields=i64)", codecs.Rule{Framing: "raw", Schemas: shop, Message: "shop.Event", Fields: []string{"i64"}}, nil},
	} {
		if got := mustBuild(t, tc.rule, tc.env).Name(); got != tc.want {
			t.Errorf("%+v has name %s, want %s", tc.rule, got, tc.want)
		}
	}
}

func TestEverythingWrongIsReported(t *testing.T) {
	two := &codecs.Env{Registries: map[string]codecs.Registry{"b": &registry{}, "a": &registry{}}}
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	set, err := os.ReadFile("testdata/shop.pb")
	if err != nil {
		t.Fatal(err)
	}
	var files descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(set, &files); err != nil {
		t.Fatal(err)
	}
	files.File = files.File[len(files.File)-1:]
	alone, err := proto.Marshal(&files)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(message string, schemas ...string) codecs.Rule {
		return codecs.Rule{Framing: "raw", Message: message, Schemas: schemas}
	}
	for _, tc := range []struct {
		name string
		rule codecs.Rule
		env  *codecs.Env
		want []string // parts of the lines
	}{
		{"no registry", codecs.Rule{}, nil, []string{"registry: is needed, and there is none; "}},
		{"another framing", codecs.Rule{Framing: "glue", Unit: "h", Registry: "a"}, two, []string{`unit: "h" is not a unit`, `framing: "glue" is not a framing; use registry or raw`}},
		{"a message in a registry", codecs.Rule{Registry: "a", Message: "M", Schemas: []string{"x"}}, two, []string{"schemas: is set, but", "message: is set, but"}},
		{"numbers and a schema", codecs.Rule{Fields: []string{"5"}, Registry: "a", Message: "M", Schemas: []string{"x"}, AnyCase: true}, two,
			[]string{"registry: is not needed", "schemas: is not needed", "message: is not needed", "any_case: is set for numbers"}},
		{"numbers and names", codecs.Rule{Fields: []string{"5.a", "b", "1"}}, nil, []string{`fields: "a" in "5.a" is not a number`, `fields: "b" in "b" is not a number`}},
		{"numbers that are none", codecs.Rule{Fields: []string{"0", "05", "536870912", "99999999999", "1.2"}}, nil,
			[]string{`"0" in "0" is not the number of a field, which are 1 to 536870911`, `"05"`, `"536870912"`, `"99999999999"`}},
		{"raw without anything", codecs.Rule{Framing: "raw", Registry: "a"}, two, []string{"registry: is set with framing raw", "message: is not set", "schemas: is not set"}},
		{"no such file", raw("M", filepath.Join(dir, "none")), nil, []string{"schemas: open "}},
		{"no such message", raw("Event", "testdata/shop.pb", "testdata/shop.proto"), nil, []string{`message: "Event" is not a message type of testdata/shop.pb or testdata/shop.proto; give its full name`}},
		{"what is no message", raw("shop.Event.id", "testdata/shop.pb"), nil, []string{`message: "shop.Event.id" is not a message type`}},
		{"no such field", raw("shop.Event", "testdata/shop.pb"), nil,
			[]string{"fields: message type shop.Event has no such time: shop.Event has no field ts; shop.Event has no field timestamp; Timestamp fields are created, meta.created, when, parent.created"}},
		{"what is no set", raw("M", write("x.pb", []byte("hello"))), nil, []string{"is neither called .proto nor a set of descriptors"}},
		{"a set without imports", raw("shop.Event", write("y.pb", alone)), nil, []string{"was it written with protoc --include_imports?"}},
		{"what does not compile", raw("M", write("x.proto", []byte("syntax = \"proto3\";\nmessage M {"))), nil, []string{"x.proto:2:12: syntax error"}},
		{"an import that is missing", raw("M", write("y.proto", []byte(proto3+`import "a/b.proto"; message M { int64 ts = 1; }`))), nil, []string{"a/b.proto is neither a standard import nor among what the schema comes with"}},
	} {
		c, err := protobuf.Builder.Build(tc.rule, tc.env)
		if err == nil {
			t.Errorf("%s: accepted as %s", tc.name, c.Name())
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != len(tc.want) {
			t.Errorf("%s: %d problems, want %d:\n%v", tc.name, len(lines), len(tc.want), err)
			continue
		}
		for i, want := range tc.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: %q, want %q", tc.name, lines[i], want)
			}
		}
	}
}

func TestSourcesFindEachOtherByTheEndOfTheirPaths(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "common"), 0o700); err != nil {
		t.Fatal(err)
	}
	a, b := filepath.Join(dir, "a.proto"), filepath.Join(dir, "common", "b.proto")
	for path, text := range map[string]string{
		a: proto3 + `import "common/b.proto"; package p; message A { B b = 1; }`,
		b: proto3 + `package p; import "google/protobuf/timestamp.proto"; message B { google.protobuf.Timestamp at = 2; }`,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for message, value := range map[string]string{"p.A": "0a0412020801", "p.B": "12020801"} {
		rule := codecs.Rule{Framing: "raw", Message: message, Schemas: []string{a, b}, Fields: []string{map[string]string{"p.A": "b.at", "p.B": "at"}[message]}}
		check(t, mustBuild(t, rule, nil), &codecs.Message{Value: mustHex(t, value)}, 1000)
	}
}
