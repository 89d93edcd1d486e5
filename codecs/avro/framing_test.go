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

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/avro"
)

const event = `{"type":"record","name":"Event","namespace":"com.acme","fields":[{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}}]}`

func TestWhatDoesNotFitTheFramingIsMalformed(t *testing.T) {
	file := mustWrite(t, "event.avsc", event)
	for framing, good := range map[string][]byte{
		"registry":      framed(7, unhex(bin)),
		"single_object": append(mustEncodeHeader(t, event), unhex(bin)...),
		"raw":           unhex(bin),
	} {
		r := codecs.Rule{Framing: framing}
		if framing != "registry" {
			r.Schemas = []string{file}
		}
		c := mustBuild(t, r, registry{7: {Text: event}})
		if got := c.Basis(); got != audit.BasisPayload {
			t.Errorf("%s: basis %s", framing, got)
		}
		if got := ask(t, c, &codecs.Message{Value: good}); got != at {
			t.Errorf("%s: got %v", framing, got)
		}
		for _, nothing := range [][]byte{nil, {}} {
			if got := ask(t, c, &codecs.Message{Value: nothing}); got != codecs.None {
				t.Errorf("%s: a tombstone gives %v", framing, got)
			}
		}
		for n := 1; n < len(good); n++ {
			if got := ask(t, c, &codecs.Message{Value: good[:n:n]}); got != codecs.Malformed {
				t.Errorf("%s: %d bytes of %d give %v", framing, n, len(good), got)
			}
		}
		if framing == "raw" {
			continue
		}
		for i := range len(good) - len(unhex(bin)) {
			bad := append([]byte{}, good...)
			bad[i] ^= 0x40
			if got := ask(t, c, &codecs.Message{Value: bad}); got != codecs.Malformed {
				t.Errorf("%s: with byte %d changed got %v", framing, i, got)
			}
		}
	}
}

// mustEncodeHeader is what names a schema in a single object.
func mustEncodeHeader(t testing.TB, schema string) []byte {
	t.Helper()
	b, err := mustParse(t, schema).AppendSingleObject(nil, map[string]any{"ts": int64(0)})
	if err != nil {
		t.Fatal(err)
	}
	return b[:10]
}

func TestFilesMayReferToEachOther(t *testing.T) {
	order := `{"type":"record","name":"Order","namespace":"com.acme","fields":[{"name":"by","type":"Person"},{"name":"at","type":"Moment"}]}`
	person := `{"type":"record","name":"Person","namespace":"com.acme","fields":[{"name":"name","type":"string"},{"name":"born","type":"Moment"}]}`
	moment := `{"type":"record","name":"Moment","namespace":"com.acme","fields":[{"name":"ts","type":"long"}]}`
	copied := strings.Replace(person, `"Moment"`, moment, 1)
	whole := strings.NewReplacer(`"Person"`, copied).Replace(order)
	value := append(mustEncodeHeaderOf(t, whole), unhex("02 61 04 06")...)
	for _, texts := range [][]string{{order, person, moment}, {moment, person, order}, {person, order, moment}, {whole}, {order, copied}} {
		r := codecs.Rule{Framing: "single_object", Fields: []string{"at.ts"}}
		for i, text := range texts {
			r.Schemas = append(r.Schemas, mustWrite(t, fmt.Sprint(i, ".avsc"), text))
		}
		if got := ask(t, mustBuild(t, r, nil), &codecs.Message{Value: value}); got != int64(3000) {
			t.Errorf("%q: got %v", texts, got)
		}
	}
}

func mustEncodeHeaderOf(t testing.TB, schema string) []byte {
	t.Helper()
	s := mustParse(t, schema)
	b, err := s.AppendSingleObject(nil, map[string]any{"by": map[string]any{"name": "", "born": map[string]any{"ts": int64(0)}}, "at": map[string]any{"ts": int64(0)}})
	if err != nil {
		t.Fatal(err)
	}
	return b[:10]
}

func TestSchemasOfARegistryMayReferToOthers(t *testing.T) {
	c := mustBuild(t, codecs.Rule{Fields: []string{"meta.when.at"}}, registry{7: {
		Type: "AVRO",
		Text: `{"type":"record","name":"Order","namespace":"a","fields":[{"name":"id","type":"b.Id"},{"name":"meta","type":["null","b.Meta"]}]}`,
		Needs: []codecs.NamedSchema{
			{Name: "id", Text: `{"type":"fixed","name":"Id","namespace":"b","size":2}`},
			{Name: "moment", Text: `{"type":"record","name":"Moment","namespace":"b","fields":[{"name":"at","type":"long"}]}`},
			{Name: "meta", Text: `{"type":"record","name":"Meta","namespace":"b","fields":[{"name":"id","type":"Id"},{"name":"when","type":"Moment"}]}`},
		},
	}})
	if got := ask(t, c, &codecs.Message{Value: framed(7, unhex("0101 02 0101 06"))}); got != int64(3000) {
		t.Errorf("got %v", got)
	}
}

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

func TestStrangeFingerprintsAreToldOnceAndNotForEver(t *testing.T) {
	told := map[string]int{}
	c, err := avro.Builder.Build(codecs.Rule{Framing: "single_object", Schemas: []string{mustWrite(t, "event.avsc", event)}},
		&codecs.Env{Notice: func(s string) { told[s]++ }})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i := range 1000 {
			b := append(unhex("c301 0000 0000 0000"), byte(i>>8), byte(i))
			if got := ask(t, c, &codecs.Message{Value: b}); got != codecs.Malformed {
				t.Errorf("got %v", got)
			}
		}
	}
	if n := told["avro: no file in schemas has the fingerprint 0700000000000000; messages with it are malformed"]; n != 1 || len(told) != 100 {
		t.Errorf("told %d times, and %d in all", n, len(told))
	}
}
