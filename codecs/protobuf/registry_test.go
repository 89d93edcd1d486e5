package protobuf_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/protobuf"
)

// A registry is a fake with some schemas.
type registry struct {
	schemas map[uint32]codecs.Schema
	err     error // instead of any answer
}

func (r *registry) Schema(_ context.Context, id uint32) (codecs.Schema, error) {
	s, ok := r.schemas[id]
	switch {
	case r.err != nil:
		return s, r.err
	case !ok:
		return s, codecs.ErrNoSchema
	}
	return s, nil
}

// shopRegistry has shop.proto as schema 7.
func shopRegistry(t testing.TB) *registry {
	t.Helper()
	b, err := os.ReadFile("testdata/shop.proto")
	if err != nil {
		t.Fatal(err)
	}
	return &registry{schemas: map[uint32]codecs.Schema{7: {Type: "PROTOBUF", Text: string(b)}}}
}

const proto3 = "syntax = \"proto3\";\n"

func TestSchemasAreLearnt(t *testing.T) {
	r := &registry{schemas: map[uint32]codecs.Schema{
		1: {Type: "PROTOBUF", Text: proto3 + `message A { int64 ts = 5; message B { string x = 1; message C { fixed64 TimeStamp = 1; } } }`},
		2: {Type: "AVRO", Text: `"string"`},
		3: {Type: "PROTOBUF", Text: proto3 + `message A {`},
		4: {Type: "PROTOBUF", Text: proto3 + `import "b.proto"; import "google/protobuf/timestamp.proto"; message A { B b = 1; google.protobuf.Timestamp timestamp = 2; }`,
			Needs: []codecs.NamedSchema{{Name: "c.proto", Text: proto3 + `message C {}`}, {Name: "b.proto", Text: proto3 + `import "c.proto"; message B { C c = 1; }`}}},
		5: {Type: "PROTOBUF", Text: proto3 + `import "google/protobuf/timestamp.proto"; package p;
			message A { repeated int64 ts = 1; B timestamp = 2; google.protobuf.Timestamp at = 3; B b = 4; }
			message B { google.protobuf.Timestamp created = 1; A a = 2; }`},
		6: {Type: "PROTOBUF", Text: proto3 + `import "confluent/meta.proto"; import "confluent/type/decimal.proto"; import "confluent/type/variant.proto";
			message A { int64 ts = 1 [(confluent.field_meta) = { doc: "when", tags: ["x"] }]; confluent.type.Decimal d = 2; confluent.type.Variant v = 3; }`},
		7: {Type: "PROTOBUF", Text: `syntax = "proto2"; message A { optional group Ts = 1 { optional int64 ts = 1; } required sint64 timestamp = 2; }`},
		8: {Type: "PROTOBUF", Text: proto3 + `import "elsewhere.proto"; message A { int64 ts = 1; }`},
		9: {Type: "PROTOBUF", Text: proto3 + `enum E { X = 0; }`},
	}}
	for _, tc := range []struct {
		name, value string
		want        any
		said        string // part of the notice
	}{
		{name: "the first type", value: "0000000001 00 2801", want: 1000},
		{name: "the first type, spelt out", value: "0000000001 0200 2801", want: 1000},
		{name: "a nested type", value: "0000000001 06 00 00 00 09 d007000000000000", want: 2000000},
		{name: "a nested type without the field", value: "0000000001 04 00 00", want: codecs.None,
			said: "protobuf: schema 1 of registry main: message type A.B has no such time: A.B has no field ts; A.B has no field timestamp; its messages have no event time"},
		{name: "a type that is not there", value: "0000000001 02 02 2801", want: codecs.Malformed},
		{name: "a nested type that is not there", value: "0000000001 04 00 02 2801", want: codecs.Malformed},
		{name: "one nested in no type", value: "0000000001 08 00 00 00 00", want: codecs.Malformed},
		{name: "a negative index", value: "0000000001 02 01 2801", want: codecs.Malformed},
		{name: "a negative count", value: "0000000001 01 2801", want: codecs.Malformed},
		{name: "a count that lies", value: "0000000001 feffffff0f 00", want: codecs.Malformed},
		{name: "an index of eleven bytes", value: "0000000001 02 8080808080808080808000", want: codecs.Malformed},
		{name: "an empty message", value: "0000000001 00", want: codecs.None},
		{name: "no index", value: "0000000001", want: codecs.Malformed},
		{name: "a cut number", value: "000000", want: codecs.Malformed},
		{name: "no frame", value: "2801 2801 2801 2801", want: codecs.Malformed},
		{name: "a broken message", value: "0000000001 00 28", want: codecs.Malformed},
		{name: "no value", value: "", want: codecs.None},
		{name: "a schema that does not exist", value: "0000000063 00 2801", want: codecs.Malformed, said: "protobuf: schema 99 of registry main does not exist; messages that name it are malformed"},
		{name: "a schema of another type", value: "0000000002 00 2801", want: codecs.Malformed, said: "protobuf: schema 2 of registry main is of type AVRO; its messages are malformed"},
		{name: "a schema that is broken", value: "0000000003 00 2801", want: codecs.Malformed, said: "protobuf: schema 3 of registry main does not compile, and its messages are malformed: schema 3:2:12: "},
		{name: "a schema with imports", value: "0000000004 00 12020805", want: 5000},
		{name: "what may not be a time", value: "0000000005 00 0801", want: codecs.None,
			said: "message type p.A has no such time: p.A.ts is repeated; p.A.timestamp is a p.B; Timestamp fields are timestamp.created, timestamp.a.at, at, b.created, b.a.at"},
		{name: "a schema with what Confluent takes for known", value: "0000000006 00 0801", want: 1000},
		{name: "proto2", value: "0000000007 00 0b08010c 1004", want: 2000},
		{name: "an import that is missing", value: "0000000008 00 0801", want: codecs.Malformed, said: "elsewhere.proto"},
		{name: "a schema without messages", value: "0000000009 00 0801", want: codecs.Malformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var said []string
			c := mustBuild(t, codecs.Rule{}, &codecs.Env{
				Registries: map[string]codecs.Registry{"main": r}, Notice: func(s string) { said = append(said, s) },
			})
			m := &codecs.Message{Value: mustHex(t, strings.ReplaceAll(tc.value, " ", ""))}
			for range 3 {
				mustLearn(t, c, m)
			}
			check(t, c, m, tc.want)
			if got := strings.Join(said, "\n"); !strings.Contains(got, tc.said) || tc.said == "" && got != "" || len(said) > 1 {
				t.Errorf("said %q, want %q once", said, tc.said)
			}
		})
	}
}

func TestNothingIsGuessedWhileTheRegistryIsAway(t *testing.T) {
	r := shopRegistry(t)
	r.err = errors.New("connection refused")
	c := mustBuild(t, codecs.Rule{Fields: []string{"i64"}}, &codecs.Env{Registries: map[string]codecs.Registry{"main": r}}).(codecs.Learner)
	m := &codecs.Message{Value: mustHex(t, "0000000007002801")}
	for range 2 {
		check(t, c, m, codecs.Unready)
		if err := c.Learn(t.Context(), m); !errors.Is(err, r.err) || err.Error() != "schema 7 of registry main: connection refused" {
			t.Errorf("learning fails with %v", err)
		}
	}
	r.err = nil
	mustLearn(t, c, m)
	check(t, c, m, 1000)
}

// mustLearn asks as one who counts would.
func mustLearn(t testing.TB, c codecs.Codec, m *codecs.Message) {
	t.Helper()
	for range 2 {
		if _, s := c.EventTime(m); s != codecs.Unready {
			return
		}
		if err := c.(codecs.Learner).Learn(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if _, s := c.EventTime(m); s == codecs.Unready {
		t.Fatal("learning does not help")
	}
}

func mustBuild(t testing.TB, r codecs.Rule, env *codecs.Env) codecs.Codec {
	t.Helper()
	c, err := protobuf.Builder.Build(r, env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check holds an answer against milliseconds or a status.
func check(t testing.TB, c codecs.Codec, m *codecs.Message, want any) {
	t.Helper()
	ms, s := c.EventTime(m)
	got := any(s)
	if s == codecs.Found {
		got = int(ms)
	}
	if got != want {
		t.Errorf("%s reads %x as %s %d, want %v", c.Name(), m.Value[:min(len(m.Value), 80)], s, ms, want)
	}
}
