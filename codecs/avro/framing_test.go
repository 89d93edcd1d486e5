package avro_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	twmb "github.com/twmb/avro"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/avro"
)

const event = `{"type":"record","name":"Event","namespace":"com.acme","fields":[{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}}]}`

func TestWhatDoesNotFitTheFramingIsMalformed(t *testing.T) {
	file := mustWrite(t, "event.avsc", event)
	for framing, good := range map[string][]byte{
		"registry":      framed(7, unhex(bin)),
		"single_object": singleObject(t, event, unhex(bin)),
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
		m := &codecs.Message{Value: good}
		if n := testing.AllocsPerRun(10, func() { c.EventTime(m) }); n != 0 {
			t.Errorf("%s: %v allocations", framing, n)
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

// singleObject is a datum in Avro's single-object encoding.
func singleObject(t testing.TB, schema string, datum []byte) []byte {
	t.Helper()
	h := twmb.NewRabin()
	mustParse(t, schema).Fingerprint(h)
	return append(binary.LittleEndian.AppendUint64([]byte{0xc3, 0x01}, h.Sum64()), datum...)
}

func TestFilesMayReferToEachOther(t *testing.T) {
	order := `{"type":"record","name":"Order","namespace":"com.acme","fields":[{"name":"by","type":"Person"},{"name":"at","type":"Moment"}]}`
	person := `{"type":"record","name":"Person","namespace":"com.acme","fields":[{"name":"name","type":"string"},{"name":"born","type":"Moment"}]}`
	moment := `{"type":"record","name":"Moment","namespace":"com.acme","fields":[{"name":"ts","type":"long"}]}`
	copied := strings.Replace(person, `"Moment"`, moment, 1)
	whole := strings.NewReplacer(`"Person"`, copied).Replace(order)
	value := singleObject(t, whole, unhex("02 61 04 06"))
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
