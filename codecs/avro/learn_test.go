package avro_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/avro"
)

// An away registry answers nothing.
type away struct{}

func (away) Schema(context.Context, uint32) (codecs.Schema, error) {
	return codecs.Schema{}, errors.New("on fire")
}

func TestNothingIsGuessedWhileTheRegistryIsAway(t *testing.T) {
	c := mustBuild(t, codecs.Rule{}, away{}).(codecs.Learner)
	m := &codecs.Message{Value: framed(7, unhex(bin))}
	for range 2 {
		if _, s := c.EventTime(m); s != codecs.Unready {
			t.Errorf("got %s", s)
		}
		if err := c.Learn(t.Context(), m); err == nil || err.Error() != "schema 7 of registry main: on fire" {
			t.Errorf("got error %v", err)
		}
	}
}

func TestEachFaultOfASchemaIsToldOnce(t *testing.T) {
	some := `{"type":"record","name":"E","fields":[{"name":"ts","type":{"type":"int","logicalType":"date"}},{"name":"a.b","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
		{"name":"meta","type":{"type":"record","name":"M","fields":[{"name":"made","type":{"type":"long","logicalType":"local-timestamp-millis"}}]}}]}`
	for _, tc := range []struct {
		name   string
		schema codecs.Schema
		want   any
		notice string
	}{
		{"sound", codecs.Schema{Text: event}, at, ""},
		{"without a time", codecs.Schema{Text: `{"type":"record","name":"E","namespace":"com.acme","fields":[]}`}, codecs.None,
			"avro: schema 7 of registry main, record com.acme.E, has no time in ts or timestamp; its messages are counted without an event time"},
		{"with others", codecs.Schema{Text: some}, codecs.None,
			`avro: schema 7 of registry main, record E, has no time in ts or timestamp: ts is int date, which is no time; its messages are counted without an event time. It has timestamps: set fields to a\.b or meta.made`},
		{"no record", codecs.Schema{Text: `["null","string"]`}, codecs.None,
			"avro: schema 7 of registry main, union of null and string, has no time in ts or timestamp; its messages are counted without an event time"},
		{"of another kind", codecs.Schema{Type: "PROTOBUF", Text: `syntax = "proto3";`}, codecs.Malformed,
			"avro: schema 7 of registry main is of type PROTOBUF; its messages are malformed"},
		{"that is missing", codecs.Schema{}, codecs.Malformed,
			"avro: schema 7 of registry main does not exist; messages that name it are malformed"},
		{"broken", codecs.Schema{Text: `{"type":"record"`}, codecs.Malformed,
			"avro: schema 7 of registry main cannot be read, and its messages are malformed: not JSON: unexpected EOF"},
		{"with a type that is not there", codecs.Schema{Text: `{"type":"record","name":"E","fields":[{"name":"a","type":"Nowhere"}]}`}, codecs.Malformed,
			`avro: schema 7 of registry main cannot be read, and its messages are malformed: unknown type "Nowhere"`},
		{"that needs a broken one", codecs.Schema{Text: `"B"`, Needs: []codecs.NamedSchema{{Name: "b.avsc", Text: `{}`}}}, codecs.Malformed,
			`avro: schema 7 of registry main cannot be read, and its messages are malformed: b.avsc, to which it refers: `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from := registry{7: tc.schema}
			if tc.schema.Text == "" {
				delete(from, 7)
			}
			var told []string
			c, err := avro.Builder.Build(codecs.Rule{}, &codecs.Env{
				Registries: map[string]codecs.Registry{"main": from}, Notice: func(s string) { told = append(told, s) },
			})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if got := ask(t, c, &codecs.Message{Value: framed(7, unhex(bin))}); got != tc.want {
					t.Errorf("got %v, want %v", got, tc.want)
				}
			}
			if got := strings.Join(told, "\n"); !strings.HasPrefix(got, tc.notice) || (got == "") != (tc.notice == "") {
				t.Errorf("told %s\nwant %s", got, tc.notice)
			}
			if tc.notice != "" && len(told) != 1 {
				t.Errorf("told %d times", len(told))
			}
		})
	}
}
