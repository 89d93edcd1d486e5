package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// batchOf is a record batch as a producer sends it, with record times that
// rise from ms by 100 each, so that their deltas take one byte and then two.
func batchOf(ms int64, values ...string) []byte {
	b := kmsg.NewRecordBatch()
	b.Magic, b.ProducerID, b.FirstSequence = 2, -1, -1
	b.FirstTimestamp, b.MaxTimestamp = ms, ms+int64(len(values)-1)*100
	b.NumRecords, b.LastOffsetDelta = int32(len(values)), int32(len(values)-1)
	for i, v := range values {
		body := []byte{0}
		body = binary.AppendVarint(body, int64(i)*100)
		body = binary.AppendVarint(body, int64(i))
		body = binary.AppendVarint(body, -1) // null key
		body = binary.AppendVarint(body, int64(len(v)))
		body = append(body, v...)
		body = append(body, 0) // no headers
		b.Records = append(binary.AppendVarint(b.Records, int64(len(body))), body...)
	}
	b.Length = int32(batchHeader - 12 + len(b.Records))
	return seal(b.AppendTo(nil))
}

func seal(batch []byte) []byte {
	binary.BigEndian.PutUint32(batch[crcAt:], crc32.Checksum(batch[attributesAt:], castagnoli))
	return batch
}

func TestStampRefusesWhatItCannotRead(t *testing.T) {
	good := batchOf(1000, "one", "two", "three")
	if _, err := stamp(good, 5); err != nil {
		t.Fatal(err)
	}
	damaged := func(f func(b []byte) []byte) []byte { return f(slices.Clone(good)) }
	for name, b := range map[string][]byte{
		"empty":          nil,
		"cut short":      good[:len(good)-1],
		"flipped bit":    damaged(func(b []byte) []byte { b[70] ^= 1; return b }),
		"wrong count":    damaged(func(b []byte) []byte { b[60] = 9; return seal(b) }),
		"record too big": damaged(func(b []byte) []byte { b[61] = 0x7e; return seal(b) }),
		"unknown codec":  damaged(func(b []byte) []byte { b[22] = 7; return seal(b) }),
	} {
		if _, err := stamp(b, 5); err == nil {
			t.Errorf("%s: stamped", name)
		}
	}
}

// What comes out is a batch that stamps again to itself.
func FuzzStamp(f *testing.F) {
	f.Add(batchOf(1000, "one", "two", "three"))
	f.Add(batchOf(0, ""))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, batch []byte) {
		// Most of the fuzzer's batches have a wrong checksum; look behind it.
		if len(batch) >= batchHeader {
			batch = seal(slices.Clone(batch))
		}
		out, err := stamp(batch, 1234)
		if err != nil {
			return
		}
		again, err := stamp(out, 1234)
		if err != nil || !slices.Equal(out, again) {
			t.Fatalf("stamped batch does not stamp to itself: %v", err)
		}
	})
}
