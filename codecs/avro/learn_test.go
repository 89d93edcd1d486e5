package avro_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/avro"
)

// A slow registry answers when it is told to, and counts who asks.
type slow struct {
	registry
	asked  int
	answer chan error
}

func (r *slow) Schema(ctx context.Context, id uint32) (codecs.Schema, error) {
	r.asked++
	select {
	case err := <-r.answer:
		if err != nil {
			return codecs.Schema{}, err
		}
		return r.registry.Schema(ctx, id)
	case <-ctx.Done():
		return codecs.Schema{}, ctx.Err()
	}
}

func TestOneAsksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &slow{registry{7: {Text: event}}, 0, make(chan error, 1)}
		c := mustBuild(t, codecs.Rule{}, from).(codecs.Learner)
		m := &codecs.Message{Value: framed(7, unhex(bin))}
		if _, s := c.EventTime(m); s != codecs.Unready {
			t.Fatalf("before it is known: %s", s)
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := c.Learn(t.Context(), m); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		from.answer <- nil
		wg.Wait()
		if err := c.Learn(t.Context(), m); err != nil || from.asked != 1 {
			t.Errorf("error %v, asked %d times", err, from.asked)
		}
		if got := ask(t, c, m); got != at {
			t.Errorf("got %v", got)
		}
	})
}

func TestWhoGivesUpDoesNotDiscourageOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &slow{registry{7: {Text: event}}, 0, make(chan error, 1)}
		c := mustBuild(t, codecs.Rule{}, from).(codecs.Learner)
		m := &codecs.Message{Value: framed(7, unhex(bin))}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := c.Learn(ctx, m); !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := c.Learn(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		from.answer <- nil
		wg.Wait()
		if from.asked != 2 {
			t.Errorf("asked %d times", from.asked)
		}
	})
}

func TestAFailureIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &slow{registry{7: {Text: event}}, 0, make(chan error, 1)}
		c := mustBuild(t, codecs.Rule{}, from).(codecs.Learner)
		m := &codecs.Message{Value: framed(7, unhex(bin))}

		from.answer <- errors.New("on fire")
		if err := c.Learn(t.Context(), m); err == nil || err.Error() != "schema 7 of registry main: on fire" {
			t.Errorf("got error %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Learn(ctx, m); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v", err)
		}
		if _, s := c.EventTime(m); s != codecs.Unready {
			t.Errorf("after failures: %s", s)
		}
		from.answer <- nil
		if err := c.Learn(t.Context(), m); err != nil {
			t.Error(err)
		}
		if got := ask(t, c, m); got != at {
			t.Errorf("got %v", got)
		}
	})
}

func TestASchemaThatDoesNotExistIsMalformedForEver(t *testing.T) {
	told := 0
	from := registry{}
	c, err := avro.Builder.Build(codecs.Rule{}, &codecs.Env{Registries: map[string]codecs.Registry{"main": from}, Notice: func(string) { told++ }})
	if err != nil {
		t.Fatal(err)
	}
	for id := range uint32(1000) {
		if got := ask(t, c, &codecs.Message{Value: framed(id, unhex(bin))}); got != codecs.Malformed {
			t.Errorf("got %v", got)
		}
	}
	from[7] = codecs.Schema{Text: event}
	if got := ask(t, c, &codecs.Message{Value: framed(7, unhex(bin))}); got != codecs.Malformed || told != 100 {
		t.Errorf("got %v, told %d times", got, told)
	}
}

// Many schemas, some of them learnt while others are read.
func TestManySchemasAreKeptApart(t *testing.T) {
	all := registry{}
	const n = 500
	for i := range uint32(n) {
		all[i*i] = codecs.Schema{Text: fmt.Sprintf(`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"fixed","name":"F","size":%d}},{"name":"ts","type":"long"}]}`, i)}
	}
	c := mustBuild(t, codecs.Rule{}, all)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range uint32(n) {
				if got := ask(t, c, &codecs.Message{Value: framed(i*i, append(make([]byte, i), 2))}); got != int64(1000) {
					t.Errorf("schema %d gives %v", i*i, got)
				}
			}
		})
	}
	wg.Wait()
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
		{"broken", codecs.Schema{Text: `{"type":"record"`}, codecs.Malformed,
			"avro: schema 7 of registry main cannot be read, and its messages are malformed: not JSON: unexpected end of JSON input"},
		{"with a type that is not there", codecs.Schema{Text: `{"type":"record","name":"E","fields":[{"name":"a","type":"Nowhere"}]}`}, codecs.Malformed,
			`avro: schema 7 of registry main cannot be read, and its messages are malformed: unknown type "Nowhere"`},
		{"that needs a broken one", codecs.Schema{Text: `"B"`, Needs: []codecs.NamedSchema{{Name: "b.avsc", Text: `{}`}}}, codecs.Malformed,
			`avro: schema 7 of registry main cannot be read, and its messages are malformed: b.avsc, to which it refers: `},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var told []string
			c, err := avro.Builder.Build(codecs.Rule{}, &codecs.Env{
				Registries: map[string]codecs.Registry{"main": registry{7: tc.schema}}, Notice: func(s string) { told = append(told, s) },
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
