package audit

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"
)

// LawHash is a hash of what the promise of the package comment fixes: two
// records with equal Identity and Version must have equal hashes, whoever wrote
// them. What the promise does not cover is left out: who counted, what depends on
// a clock, how much a reader knew of the log, fields of a newer program, and the
// digest: of two digests that read a window alike, one may continue the other.
func (t *WindowTally) LawHash() uint64 {
	var room [2048]byte
	b := room[:0]
	num := func(n uint64) { b = binary.LittleEndian.AppendUint64(b, n) }
	for _, n := range [...]uint64{t.Count, t.Bytes, t.NoTime, t.Malformed, t.OutOfBounds, t.Fingerprint, uint64(t.First), uint64(t.Last),
		uint64(t.GenerationStart), t.Latency.Sum, uint64(t.Latency.Max), t.Latency.Negative, uint64(t.Latency.NegativeMax)} {
		num(n)
	}
	for _, s := range t.PowerSums {
		num(s)
	}
	for _, s := range t.Moments {
		num(s)
	}
	for bin, n := range t.Latency.Bins.All() {
		b = binary.LittleEndian.AppendUint16(b, uint16(bin))
		num(n)
	}
	if t.Partial {
		b = append(b, 1)
	}
	b = append(b, t.FingerprintMode...)
	return xxh3.HashSeed(b, hashSeed)
}
