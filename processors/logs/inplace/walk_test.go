package inplace

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

func sortByOffset(l []logs.Record) {
	slices.SortFunc(l, func(a, b logs.Record) int { return cmp.Compare(a.Offset, b.Offset) })
}

func seeded(t testing.TB, seed uint64) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(seed, 5))
}

func TestWalkHandsOverWhatWasCommitted(t *testing.T) {
	var w walker
	for seed := range uint64(300) {
		s := tell(seeded(t, seed), 40)
		h := &hearer{t: t, epoch: -1}
		to, more, err := w.walk(s.portion(), place{s.recipes[0].base, -1}, h)
		if err != nil || !more {
			t.Fatalf("seed %d: more %t, %v", seed, more, err)
		}
		if d := differ(h.got, s.want); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
		if last := s.recipes[len(s.recipes)-1]; to != (place{s.end, last.epoch}) || h.next != to.next || h.epoch != to.epoch {
			t.Fatalf("seed %d: came to %v, said %d in epoch %d, want %d in epoch %d", seed, to, h.next, h.epoch, s.end, last.epoch)
		}
		if h.lastOut.Stable != s.end+5 || h.lastOut.Start != 3 {
			t.Fatalf("seed %d: stable %d, start %d", seed, h.lastOut.Stable, h.lastOut.Start)
		}
		if end := endOf(s.bytes(), place{s.recipes[0].base, -1}); end != to {
			t.Fatalf("seed %d: the heads end at %v, want %v", seed, end, to)
		}
	}
}

// franz-go is asked for the same, as an oracle that is not ours.
func TestWalkAgreesWithFranz(t *testing.T) {
	var w walker
	for seed := range uint64(100) {
		s := tell(seeded(t, seed), 40)
		h := &hearer{t: t}
		if _, _, err := w.walk(s.portion(), place{s.recipes[0].base, -1}, h); err != nil {
			t.Fatal(err)
		}
		if d := differ(h.got, byFranz(t, s.portion(), s.recipes[0].base)); d != "" {
			t.Fatalf("seed %d: %s", seed, d)
		}
	}
}

// byFranz is what franz-go finds in a portion, in our words.
func byFranz(t testing.TB, p *portion, from int64) (list []logs.Record) {
	t.Helper()
	rp := kmsg.NewFetchResponseTopicPartition()
	rp.RecordBatches, rp.AbortedTransactions = p.batches, p.aborted
	opts := kgo.ProcessFetchPartitionOpts{Offset: from, IsolationLevel: kgo.ReadCommitted(), Topic: "t"}
	fp, _ := kgo.ProcessFetchPartition(opts, &rp, kgo.DefaultDecompressor(), nil)
	if fp.Err != nil {
		t.Fatal(fp.Err)
	}
	for _, r := range fp.Records {
		x := logs.Record{Offset: r.Offset, Message: codecs.Message{Key: r.Key, Value: r.Value, Time: r.Timestamp.UnixMilli(), TimeType: codecs.CreateTime}}
		if r.Attrs.TimestampType() == 1 {
			x.TimeType = codecs.LogAppendTime
		}
		x.Headers = codecs.AppendHeaderCount(nil, len(r.Headers))
		for _, header := range r.Headers {
			x.Headers = codecs.AppendHeader(x.Headers, []byte(header.Key), header.Value)
		}
		list = append(list, x)
	}
	return list
}

func TestWalkGoesOnWhereItPaused(t *testing.T) {
	var w walker
	pauses := 0
	for seed := range uint64(100) {
		rng := seeded(t, seed)
		s := tell(rng, 40)
		h := &hearer{t: t, pause: 1 + rng.IntN(3)}
		at := place{s.recipes[0].base, -1}
		for at.next < s.end {
			var more bool
			var err error
			if at, more, err = w.walk(s.from(at.next), at, h); err != nil {
				t.Fatal(err)
			}
			if !more {
				pauses++
			}
			if h.next != at.next || h.epoch != at.epoch {
				t.Fatalf("seed %d: came to %v, said %d in epoch %d", seed, at, h.next, h.epoch)
			}
		}
		if d := differ(h.got, s.want); d != "" || at.next != s.end {
			t.Fatalf("seed %d: at %d of %d: %s", seed, at.next, s.end, d)
		}
	}
	if pauses < 200 {
		t.Errorf("only %d pauses", pauses)
	}
}

func TestWalkBeginsInTheMiddle(t *testing.T) {
	var w walker
	s := tell(seeded(t, 1), 40)
	for from := s.recipes[0].base; from < s.end; from += 3 {
		h := &hearer{t: t, next: from}
		if _, _, err := w.walk(s.from(from), place{from, -1}, h); err != nil {
			t.Fatal(err)
		}
		i, _ := slices.BinarySearchFunc(s.want, from, func(r logs.Record, o int64) int { return cmp.Compare(r.Offset, o) })
		if d := differ(h.got, s.want[i:]); d != "" {
			t.Fatalf("from %d: %s", from, d)
		}
	}
}

func TestWalkStopsAtABatchThatIsNotAllThere(t *testing.T) {
	var w walker
	s := tell(seeded(t, 2), 6)
	p := s.portion()
	first := len(s.recipes[0].build())
	for n := 0; n < len(p.batches); n += 7 {
		cut := *p
		cut.batches, cut.aborted = p.batches[:n], slices.Clone(s.aborted)
		h := &hearer{t: t}
		to, more, err := w.walk(&cut, place{s.recipes[0].base, -1}, h)
		if n > 0 && n < first { // no broker gives less than one
			if c, ok := errors.AsType[*logs.Corrupt](err); !ok || c.From != s.recipes[0].base || c.To != 0 || h.calls > 0 {
				t.Fatalf("%d bytes: %v", n, err)
			}
			continue
		}
		if err != nil || !more || to != endOf(cut.batches, place{s.recipes[0].base, -1}) {
			t.Fatalf("%d bytes: to %v, %v", n, to, err)
		}
		if i := len(h.got); differ(h.got, s.want[:i]) != "" || i < len(s.want) && s.want[i].Offset < to.next {
			t.Fatalf("%d bytes: %d records before %d", n, i, to.next)
		}
	}
}

// Every damage that the checksum covers is found, and told with the offsets that
// it makes unreadable; what lies before has been handed over.
func TestWalkTellsWhichOffsetsAreDamaged(t *testing.T) {
	var w walker
	s := tell(seeded(t, 3), 12)
	whole := s.bytes()
	at := 0
	for n, r := range s.recipes {
		size := len(r.built)
		want := int64(0) // where it ends
		if n+1 < len(s.recipes) {
			want = s.recipes[n+1].base
		}
		for i := at + 16; i < at+size; i += 1 + (i-at)/100 { // all of the head
			p := &portion{batches: slices.Clone(whole), aborted: slices.Clone(s.aborted)}
			p.batches[i] ^= 0x40
			h := &hearer{t: t}
			to, _, err := w.walk(p, place{s.recipes[0].base, -1}, h)
			if p.batches[at+16] < 2 {
				if !errors.Is(err, logs.ErrTooOld) {
					t.Fatalf("byte %d: %v", i, err)
				}
				continue
			}
			c, ok := errors.AsType[*logs.Corrupt](err)
			if !ok || !errors.Is(err, logs.ErrCorrupt) || c.From != r.base || to.next != r.base {
				t.Fatalf("byte %d: came to %v: %v, want damage at %d", i, to, err, r.base)
			}
			if i > at+16 && c.To != want && (want != 0 || c.To != r.next) { // of the last one nobody may know
				t.Fatalf("byte %d: damaged to %d, want %d", i, c.To, want)
			}
			if n := len(h.got); differ(h.got, s.want[:n]) != "" || n < len(s.want) && s.want[n].Offset < r.base {
				t.Fatalf("byte %d: %d records before the damage", i, n)
			}
		}
		at += size
	}
	if at != len(whole) {
		t.Fatal("not all of the log was damaged")
	}
}

// A damaged head is not believed: what it says of its end would have readable
// messages skipped, up to the end of the log.
func TestDamageEndsWhereItIsKnownTo(t *testing.T) {
	rec := func(o int64) logs.Record {
		return logs.Record{Offset: o, Message: codecs.Message{Value: []byte("v"), Time: firstTime, TimeType: codecs.CreateTime}}
	}
	full := recipe{base: 10, next: 12, records: []logs.Record{rec(10), rec(11)}}
	holes := recipe{base: 10, next: 20, records: []logs.Record{rec(10), rec(11)}}
	after := recipe{base: 20, next: 21, records: []logs.Record{rec(20)}}
	for _, c := range []struct {
		outcome string
		batches []recipe
		at      int // the byte that is damaged
		want    int64
	}{
		{"the next batch tells", []recipe{holes, after}, 70, 20},
		{"the next batch tells, whatever the head says", []recipe{holes, after}, 23, 20},
		{"two fields of the head agree", []recipe{full}, 70, 12},
		{"they do not: the end is damaged", []recipe{full}, 23, 0},
		{"they do not: the number is damaged", []recipe{full}, 60, 0},
		{"they do not: it was compacted", []recipe{holes}, 70, 0},
	} {
		var log []byte
		for i := range c.batches {
			log = append(log, c.batches[i].build()...)
		}
		log[c.at] ^= 0x10
		var w walker
		_, _, err := w.walk(&portion{batches: log}, place{10, -1}, &hearer{t: t})
		if bad, ok := errors.AsType[*logs.Corrupt](err); !ok || bad.From != 10 || bad.To != c.want {
			t.Errorf("%s: %v, want an end at %d", c.outcome, err, c.want)
		}
	}
}

// A batch whose checksum is right may lie all the same, if who wrote it wants.
func TestWalkDoesNotBelieveHeads(t *testing.T) {
	rec := func(o int64) logs.Record {
		return logs.Record{Offset: o, Message: codecs.Message{Value: []byte("v"), Time: firstTime, TimeType: codecs.CreateTime}}
	}
	good := recipe{base: 10, next: 12, records: []logs.Record{rec(10), rec(11)}}
	put32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.BigEndian.PutUint32(b[at:], v) }
	}
	for _, c := range []struct {
		outcome string
		recipe  recipe
		change  func([]byte)
	}{
		{"fewer records than are there", good, put32(57, 1)},
		{"more records than are there", good, put32(57, 3)},
		{"less than no records", good, put32(57, 1<<31)},
		{"records behind its end", recipe{base: 10, next: 11, records: []logs.Record{rec(10), rec(11)}}, nil},
		{"records before its beginning", recipe{base: 10, next: 12, records: []logs.Record{rec(9), rec(11)}}, nil},
		{"offsets that do not rise", recipe{base: 10, next: 12, records: []logs.Record{rec(11), rec(11)}}, nil},
		{"an end before its beginning", good, put32(23, 1<<32-1)},
		{"a codec that does not exist", good, func(b []byte) { b[22] = 7 }},
		{"a codec that it does not have", good, func(b []byte) { b[22] = codecZstd }},
		{"bytes behind its records", good, func(b []byte) { b[57+3] = 1 }},
		{"a record longer than the rest", good, func(b []byte) { b[61] = 0x7e }},
		{"a record of no length", good, func(b []byte) { b[61] = 0 }},
		{"a key longer than its record", good, func(b []byte) { b[65] = 0x70 }},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			b := c.recipe.build()
			if c.change != nil {
				c.change(b)
				seal(b)
			}
			var w walker
			h := &hearer{t: t}
			to, _, err := w.walk(&portion{batches: b}, place{10, 4}, h)
			if !errors.Is(err, logs.ErrCorrupt) || len(h.got) > 0 || to != (place{10, 4}) {
				t.Errorf("%d records, came to %v: %v", len(h.got), to, err)
			}
		})
	}
	t.Run("a batch that begins before the end of the last", func(t *testing.T) {
		var w walker
		later := recipe{base: 11, next: 13, records: []logs.Record{rec(11), rec(12)}}
		h := &hearer{t: t}
		to, _, err := w.walk(&portion{batches: append(good.build(), later.build()...)}, place{10, -1}, h)
		if !errors.Is(err, errOrder) || len(h.got) != 2 || to.next != 12 {
			t.Errorf("%d records, came to %v: %v", len(h.got), to, err)
		}
	})
}

func TestWalkRefusesOldFormats(t *testing.T) {
	for format := range byte(2) {
		b := make([]byte, 40)
		b[11], b[16] = 28, format
		var w walker
		h := &hearer{t: t}
		to, _, err := w.walk(&portion{batches: b}, place{7, -1}, h)
		if !errors.Is(err, logs.ErrTooOld) || errors.Is(err, logs.ErrCorrupt) || to.next != 7 || h.calls > 0 {
			t.Errorf("format %d: came to %v: %v", format, to, err)
		}
	}
}

// A sink hears of the ends of a log that has nothing new.
func TestWalkSaysWhereAnEmptyLogEnds(t *testing.T) {
	var w walker
	h := &hearer{t: t}
	to, more, err := w.walk(&portion{stable: 9, start: 4}, place{9, 2}, h)
	if err != nil || !more || to != (place{9, 2}) || h.calls != 1 {
		t.Fatalf("%d calls, came to %v, %v", h.calls, to, err)
	}
	if b := h.lastOut; len(b.Records) > 0 || b.Next != 9 || b.Stable != 9 || b.Start != 4 || b.Epoch != 2 {
		t.Errorf("said %+v", b)
	}
}

// Small batches are handed over together, and borders in the log are not ours.
func TestWalkHandsOverSmallBatchesTogether(t *testing.T) {
	s := &story{}
	for i := range int64(100) {
		r := recipe{base: i, next: i + 1, codec: uint16(i % 5), records: []logs.Record{someRecord(seeded(t, uint64(i)), i, 0)}}
		s.recipes = append(s.recipes, r)
		s.want = append(s.want, r.records...)
	}
	var w walker
	h := &hearer{t: t}
	if _, _, err := w.walk(s.portion(), place{0, -1}, h); err != nil {
		t.Fatal(err)
	}
	if d := differ(h.got, s.want); d != "" || h.calls != 1 {
		t.Errorf("%d calls: %s", h.calls, d)
	}
}

func TestWalkAllocatesNothingPerMessage(t *testing.T) {
	for codec, most := range []float64{codecNone: 0, codecGzip: 8, codecSnappy: 0, codecLZ4: 0, codecZstd: 0} {
		t.Run(fmt.Sprint("codec ", codec), func(t *testing.T) {
			r := recipe{base: 0, next: 5000, codec: uint16(codec)}
			for i := range int64(5000) {
				r.records = append(r.records, someRecord(seeded(t, uint64(i)), i, 0))
			}
			p := &portion{batches: r.build()}
			var w walker
			n := testing.AllocsPerRun(20, func() {
				if _, _, err := w.walk(p, place{0, -1}, deaf{}); err != nil {
					t.Fatal(err)
				}
			})
			if raced {
				return // pools forget at random then
			}
			if n > most {
				t.Errorf("%.1f allocations for 5,000 messages, want at most %.0f", n, most)
			}
		})
	}
}

// deaf is a sink that takes all and looks at nothing.
type deaf struct{}

func (deaf) Batch(*logs.Batch) bool { return true }
func (deaf) Lost(error)             {}

func BenchmarkWalk(b *testing.B) {
	for codec, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		b.Run(name, func(b *testing.B) {
			r := recipe{base: 0, next: 500, codec: uint16(codec)}
			rng := seeded(b, 1)
			for i := range int64(500) {
				value := fmt.Appendf(nil, `{"id":"%016x","service":"checkout","ts":%d,"path":"/api/v1/items/%d","status":200,"note":"%x"}`, rng.Uint64(), firstTime, rng.IntN(1e6), rng.Uint64())
				r.records = append(r.records, logs.Record{Offset: i, Message: codecs.Message{Key: []byte("u00000001"), Value: value, Time: firstTime}})
			}
			p := &portion{batches: r.build()}
			var w walker
			b.SetBytes(int64(len(p.batches)))
			for b.Loop() {
				if _, _, err := w.walk(p, place{0, -1}, deaf{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/msg")
		})
	}
}
