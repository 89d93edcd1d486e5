package inplace

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pierrec/lz4/v4"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// text is n bytes that compress, but not to nothing.
func text(n int) []byte {
	rng := rand.New(rand.NewPCG(7, 7))
	var b []byte
	for len(b) < n {
		b = fmt.Appendf(b, `{"id":%d,"name":"x","host":"web-%d"}`, rng.Uint64(), rng.IntN(9))
	}
	return b[:n]
}

func TestInflateGivesWhatWasCompressed(t *testing.T) {
	var d inflater
	for _, n := range []int{0, 1, 100, 70_000, 5 << 20} { // below and above every size of block
		want := text(n)
		for codec := uint16(codecNone); codec <= codecZstd; codec++ {
			for _, raw := range []bool{false, true} {
				got, err := d.inflate(squeeze(want, codec, raw), codec)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("codec %d, %d bytes: got %d bytes, %v", codec, n, len(got), err)
				}
			}
		}
	}
}

// Not all producers frame lz4 as the common libraries do.
func TestInflateReadsEveryFrameOfLZ4(t *testing.T) {
	want := text(3 << 20)
	for _, size := range []lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb, lz4.Block4Mb} {
		for _, sums := range []bool{false, true} {
			var out bytes.Buffer
			w := lz4.NewWriter(&out)
			if err := w.Apply(lz4.BlockSizeOption(size), lz4.ChecksumOption(sums), lz4.BlockChecksumOption(sums), lz4.SizeOption(uint64(len(want)))); err != nil {
				t.Fatal(err)
			}
			w.Write(want)
			w.Close()
			var d inflater
			if got, err := d.inflate(out.Bytes(), codecLZ4); err != nil || !bytes.Equal(got, want) || d.lz4 != nil {
				t.Errorf("blocks of %v, checksums %t: got %d bytes, by the library %t, %v", size, sums, len(got), d.lz4 != nil, err)
			}
			two := append(bytes.Clone(out.Bytes()), out.Bytes()...)
			if got, err := d.inflate(two, codecLZ4); err != nil || !bytes.Equal(got, append(bytes.Clone(want), want...)) {
				t.Errorf("two frames: got %d bytes, %v", len(got), err)
			}
		}
	}
}

// What was given earlier stays as it is while the buffer grows behind it.
func TestInflateKeepsWhatItGave(t *testing.T) {
	var d inflater
	var all [][]byte
	for i := range 50 {
		codec := uint16(1 + i%4)
		got, err := d.inflate(squeeze(text(1+i*1000), codec, false), codec)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, got)
	}
	for i, got := range all {
		if !bytes.Equal(got, text(1+i*1000)) {
			t.Fatalf("text %d has changed", i)
		}
	}
	d.reset()
	if len(d.buf) != 0 || cap(d.buf) == 0 {
		t.Errorf("%d bytes of %d left", len(d.buf), cap(d.buf))
	}
}

// A few kilobytes may stand for gigabytes. They are refused, without being made.
func TestInflateRefusesBombs(t *testing.T) {
	zeros := make([]byte, 64<<20)
	for codec := uint16(codecGzip); codec <= codecZstd; codec++ {
		t.Run(fmt.Sprint("codec ", codec), func(t *testing.T) {
			bomb := squeeze(zeros, codec, false)
			d := inflater{limit: 8 << 20}
			if _, err := d.inflate(bomb, codec); err == nil {
				t.Error("inflated")
			}
			if cap(d.buf) > 24<<20 {
				t.Errorf("%d MB held", cap(d.buf)>>20)
			}
			if got, err := d.inflate(squeeze(text(1000), codec, false), codec); err != nil || !bytes.Equal(got, text(1000)) {
				t.Errorf("after the bomb: %d bytes, %v", len(got), err)
			}
			d.reset()
			if cap(d.buf) > keepBuffer {
				t.Errorf("%d MB kept", cap(d.buf)>>20)
			}
		})
	}
}

func TestABombIsTold(t *testing.T) {
	big := logs.Record{Offset: 5, Message: codecs.Message{Value: make([]byte, 4<<20), Time: firstTime}}
	r := recipe{base: 5, next: 6, codec: codecZstd, records: []logs.Record{big}}
	w := walker{inflater: inflater{limit: 1 << 20}}
	h := &hearer{t: t}
	_, _, err := w.walk(&portion{batches: r.build()}, place{5, -1}, h)
	if c, ok := errors.AsType[*logs.Corrupt](err); !ok || c.From != 5 || c.To != 6 {
		t.Errorf("%v", err)
	}
}

func TestInflateRefusesDamage(t *testing.T) {
	var d inflater
	for codec := uint16(codecGzip); codec <= codecZstd; codec++ {
		whole := squeeze(text(100_000), codec, false)
		for _, n := range []int{0, 1, 8, 17, 30, len(whole) / 2, len(whole) - 1} {
			if got, err := d.inflate(whole[:n], codec); err == nil && len(got) > 0 && n != 16 {
				t.Errorf("codec %d, %d bytes of %d: got %d bytes and no error", codec, n, len(whole), len(got))
			}
		}
	}
	if _, err := d.inflate(text(10), 5); err == nil {
		t.Error("codec 5 is none")
	}
}
