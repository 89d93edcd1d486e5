package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/linkedin/goavro/v2"
	twmb "github.com/twmb/avro"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/avro"
)

// order is a record of what a shop might log. What it has of notes makes its size.
type order struct {
	ID       string            `avro:"id"`
	Version  int32             `avro:"version"`
	Customer customer          `avro:"customer"`
	Items    []item            `avro:"items"`
	Labels   map[string]string `avro:"labels"`
	Total    float64           `avro:"total"`
	Note     *string           `avro:"note"`
	Notes    []string          `avro:"notes"`
	TS       int64             `avro:"ts"`
}

type customer struct {
	ID    int64  `avro:"id"`
	Name  string `avro:"name"`
	Email string `avro:"email"`
}

type item struct {
	SKU   string  `avro:"sku"`
	Qty   int32   `avro:"qty"`
	Price float64 `avro:"price"`
}

// orderSchema has the time as its first or last field, or in the middle.
func orderSchema(place string) string {
	fields := []string{
		`{"name":"id","type":"string"}`, `{"name":"version","type":"int"}`,
		`{"name":"customer","type":{"type":"record","name":"Customer","fields":[{"name":"id","type":"long"},{"name":"name","type":"string"},{"name":"email","type":"string"}]}}`,
		`{"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[{"name":"sku","type":"string"},{"name":"qty","type":"int"},{"name":"price","type":"double"}]}}}`,
		`{"name":"labels","type":{"type":"map","values":"string"}}`, `{"name":"total","type":"double"}`, `{"name":"note","type":["null","string"]}`,
		`{"name":"notes","type":{"type":"array","items":"string"}}`,
	}
	const ts = `{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}}`
	switch place {
	case "first":
		fields = append([]string{ts}, fields...)
	case "middle":
		fields = append(append(append([]string{}, fields[:4]...), ts), fields[4:]...)
	default:
		fields = append(fields, ts)
	}
	return `{"type":"record","name":"Order","fields":[` + strings.Join(fields, ",") + `]}`
}

// registry has one schema.
type registry string

func (r registry) Schema(context.Context, uint32) (codecs.Schema, error) {
	return codecs.Schema{Type: "AVRO", Text: string(r)}, nil
}

const number = 7

func avroContests() (list []contest) {
	for _, place := range []string{"first", "middle", "last"} {
		for _, notes := range []int{0, 20, 3000} {
			list = append(list, avroContest(place, notes))
		}
	}
	return list
}

func avroContest(place string, notes int) contest {
	text := orderSchema(place)
	schema := must(twmb.Parse(text))
	o := order{ID: "o-1", Version: 3, Customer: customer{182736455, "Zoë", "zoe@example.org"}, Items: []item{{"A-1001", 2, 12.5}}, Total: 25, TS: when}
	for i := range notes {
		o.Notes = append(o.Notes, fmt.Sprintf("note %d of what a shop writes", i))
	}
	datum := must(schema.AppendEncode(nil, &o))
	value := append(binary.BigEndian.AppendUint32([]byte{0}, number), datum...)

	env := &codecs.Env{Registries: map[string]codecs.Registry{"r": registry(text)}}
	selector := must(codecs.NewSelector([]codecs.Rule{{Topics: ".*", Codecs: []string{"avro"}}}, codecs.Builders{"avro": avro.Builder}, env, codecs.Bounds{}))
	m := &codecs.Message{Value: value, Time: when}
	x := selector.For("")
	if err := x.Learn(context.Background(), m); err != nil {
		panic(err)
	}
	lib := must(goavro.NewCodec(strings.ReplaceAll(text, `{"type":"long","logicalType":"timestamp-millis"}`, `"long"`))) // its time.Time would cost it more
	return contest{
		name: fmt.Sprintf("avro-%s-%s", place, map[int]string{0: "small", 20: "700B", 3000: "100KB"}[notes]), size: len(value), want: when,
		all: []contender{
			{ours, byCodec(x.CodecAt(when), value)},
			{"twmb", func() (int64, error) {
				var o order
				_, err := schema.Decode(datum, &o)
				return o.TS, err
			}},
			{"goavro", func() (int64, error) {
				v, _, err := lib.NativeFromBinary(datum)
				if err != nil {
					return 0, err
				}
				return v.(map[string]any)["ts"].(int64), nil
			}},
		},
		judge: func(r *results) {
			r.noAllocations()
			if place == "first" {
				r.nanoseconds(25)
			}
			r.atLeast("speed", "twmb", 1)
			r.atLeast("speed", "goavro", 1)
		},
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
