package inplace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A recipe is a batch to be built, and what a reader should find in it.
type recipe struct {
	base       int64
	next       int64 // behind the last; above the last record where compaction has been
	epoch      int32
	codec      uint16
	raw        bool // snappy: one block, without xerial's frames
	appendTime int64
	producer   int64
	tx         bool
	control    bool
	records    []logs.Record

	built []byte
}

const firstTime = 1_790_000_000_000

func (r *recipe) build() []byte {
	if r.built == nil {
		r.built = r.bytes()
	}
	return slices.Clone(r.built)
}

func (r *recipe) bytes() []byte {
	var body []byte
	for _, rec := range r.records {
		k := kmsg.Record{TimestampDelta64: rec.Time - firstTime, OffsetDelta: int32(rec.Offset - r.base), Key: rec.Key, Value: rec.Value}
		for name, value := range rec.Headers.All() {
			k.Headers = append(k.Headers, kmsg.Header{Key: string(name), Value: value})
		}
		k.Length = int32(len(k.AppendTo(nil)) - 1) // without the length, which is one byte while it is 0
		body = k.AppendTo(body)
	}
	b := kmsg.RecordBatch{
		FirstOffset: r.base, PartitionLeaderEpoch: r.epoch, Magic: 2, Attributes: int16(r.codec), LastOffsetDelta: int32(r.next - 1 - r.base),
		FirstTimestamp: firstTime, MaxTimestamp: firstTime, ProducerID: r.producer, NumRecords: int32(len(r.records)), Records: squeeze(body, r.codec, r.raw),
	}
	if r.appendTime != 0 {
		b.Attributes |= attrAppendTime
		b.MaxTimestamp = r.appendTime
	}
	if r.tx {
		b.Attributes |= attrTransactional
	}
	if r.control {
		b.Attributes |= attrControl
	}
	return seal(b.AppendTo(nil))
}

// seal makes length and checksum right.
func seal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

var (
	gzipWriter     = gzip.NewWriter(nil)
	lz4Writer      = lz4.NewWriter(nil)
	zstdEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
)

func squeeze(b []byte, codec uint16, raw bool) []byte {
	var out bytes.Buffer
	var w io.WriteCloser
	switch codec {
	case codecNone:
		return b
	case codecGzip:
		gzipWriter.Reset(&out)
		w = gzipWriter
	case codecSnappy:
		if raw {
			return snappy.Encode(nil, b)
		}
		out.Write(xerial)
		out.Write([]byte{0, 0, 0, 1, 0, 0, 0, 1})
		for len(b) > 0 {
			block := snappy.Encode(nil, b[:min(len(b), 32<<10)])
			b = b[min(len(b), 32<<10):]
			out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(block))))
			out.Write(block)
		}
		return out.Bytes()
	case codecLZ4:
		lz4Writer.Reset(&out)
		w = lz4Writer
	case codecZstd:
		return zstdEncoder.EncodeAll(b, nil)
	}
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// marker is a control batch that ends a transaction.
func marker(base int64, epoch int32, producer int64, commit bool) recipe {
	key := []byte{0, 0, 0, 0}
	if commit {
		key[3] = 1
	}
	rec := logs.Record{Offset: base, Message: codecs.Message{Key: key, Value: make([]byte, 6), Time: firstTime}}
	return recipe{base: base, next: base + 1, epoch: epoch, producer: producer, tx: true, control: true, records: []logs.Record{rec}}
}

// A story is a log, as it is fetched, and what a reader should find in it.
type story struct {
	recipes []recipe
	aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction
	markers []int64 // ... and where each ends
	want    []logs.Record
	end     int64
}

func (s *story) bytes() (b []byte) {
	for i := range s.recipes {
		b = append(b, s.recipes[i].build()...)
	}
	return b
}

func (s *story) portion() *portion { return s.from(0) }

// from is what a broker gives from an offset on.
func (s *story) from(offset int64) *portion {
	p := &portion{stable: s.end + 5, start: 3}
	for i := range s.recipes {
		if s.recipes[i].next > offset {
			p.batches = append(p.batches, s.recipes[i].build()...)
		}
	}
	for i, a := range s.aborted {
		if s.markers[i] >= offset {
			p.aborted = append(p.aborted, a)
		}
	}
	return p
}

// tell makes up a log: of all codecs, plain and in transactions that overlap,
// some aborted, with holes, nulls, headers, and batches that lost their records.
func tell(rng *rand.Rand, batches int) *story {
	s := &story{end: int64(rng.IntN(1000))}
	type tx struct {
		first   int64
		records []logs.Record
	}
	open := map[int64]*tx{}
	epoch := int32(rng.IntN(3))
	offset := s.end
	for range batches {
		if rng.IntN(10) == 0 {
			epoch++
		}
		if producer := int64(rng.IntN(4)); open[producer] != nil && rng.IntN(3) == 0 {
			commit := rng.IntN(2) == 0
			s.recipes = append(s.recipes, marker(offset, epoch, producer, commit))
			if t := open[producer]; commit {
				s.want = append(s.want, t.records...)
			} else {
				s.aborted = append(s.aborted, kmsg.FetchResponseTopicPartitionAbortedTransaction{ProducerID: producer, FirstOffset: t.first})
				s.markers = append(s.markers, offset)
			}
			delete(open, producer)
			offset++
			continue
		}
		r := recipe{base: offset, epoch: epoch, codec: uint16(rng.IntN(5)), raw: rng.IntN(2) == 0, producer: -1}
		if rng.IntN(4) == 0 {
			r.appendTime = firstTime + 77
		}
		n := rng.IntN(6)
		if rng.IntN(8) == 0 {
			n = rng.IntN(400) // more than is handed over at once
		}
		for range n {
			offset += int64(rng.IntN(2)) // a hole
			r.records = append(r.records, someRecord(rng, offset, r.appendTime))
			offset++
		}
		offset += int64(rng.IntN(2))
		if n == 0 { // compaction took them all, and writes the rest without a codec
			r.codec = codecNone
			offset = max(offset, r.base+1)
		}
		r.next = offset
		if producer := int64(rng.IntN(8)); producer < 4 {
			r.producer, r.tx = producer, true
			if open[producer] == nil {
				open[producer] = &tx{first: r.base}
			}
			open[producer].records = append(open[producer].records, r.records...)
		} else {
			s.want = append(s.want, r.records...)
		}
		s.recipes = append(s.recipes, r)
	}
	// A reader of committed records is given nothing of open transactions: the
	// last stable offset lies before them. Here all of them end.
	for producer, t := range open {
		s.recipes = append(s.recipes, marker(offset, epoch, producer, true))
		s.want = append(s.want, t.records...)
		offset++
	}
	s.end = offset
	sortByOffset(s.want)
	return s
}

func someRecord(rng *rand.Rand, offset, appendTime int64) logs.Record {
	r := logs.Record{Offset: offset, Message: codecs.Message{Time: firstTime + int64(rng.IntN(1e6)) - 5e5, TimeType: codecs.CreateTime}}
	if appendTime != 0 {
		r.Time, r.TimeType = appendTime, codecs.LogAppendTime
	}
	some := func() []byte {
		switch rng.IntN(5) {
		case 0:
			return nil
		case 1:
			return []byte{}
		}
		return bytes.Repeat([]byte{byte(rng.IntN(256))}, rng.IntN(300))
	}
	r.Key, r.Value = some(), some()
	n := max(0, rng.IntN(6)-3)
	r.Headers = codecs.AppendHeaderCount(nil, n)
	for i := range n {
		r.Headers = codecs.AppendHeader(r.Headers, fmt.Appendf(nil, "h%d", i), some())
	}
	return r
}

// hearer is a sink that keeps copies, checks what every batch must be, and
// pauses after so many batches.
type hearer struct {
	t       testing.TB
	got     []logs.Record
	next    int64
	epoch   int32
	calls   int
	pause   int // after so many calls; 0 never
	lastOut logs.Batch
}

func (h *hearer) Batch(b *logs.Batch) bool {
	h.calls++
	if b.Next < h.next {
		h.t.Fatalf("next %d after %d", b.Next, h.next)
	}
	for _, r := range b.Records {
		if n := len(h.got); n > 0 && h.got[n-1].Offset >= r.Offset || r.Offset >= b.Next || r.Offset < h.next {
			h.t.Fatalf("offset %d in a batch from %d to %d", r.Offset, h.next, b.Next)
		}
		r.Key, r.Value, r.Headers = bytes.Clone(r.Key), bytes.Clone(r.Value), bytes.Clone(r.Headers)
		h.got = append(h.got, r)
	}
	h.next, h.epoch, h.lastOut = b.Next, b.Epoch, *b
	return h.pause == 0 || h.calls%h.pause != 0
}

func (h *hearer) Lost(error) { h.t.Fatal("the walk does not lose") }

func sameRecord(a, b logs.Record) bool {
	return a.Offset == b.Offset && a.Time == b.Time && a.TimeType == b.TimeType && sameBytes(a.Key, b.Key) && sameBytes(a.Value, b.Value) && bytes.Equal(a.Headers, b.Headers)
}

func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

// differ says how records differ from those wanted; empty if not at all.
func differ(got, want []logs.Record) string {
	for i := range min(len(got), len(want)) {
		if !sameRecord(got[i], want[i]) {
			return fmt.Sprintf("record %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d records, want %d", len(got), len(want))
	}
	return ""
}
