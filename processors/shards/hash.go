package shards

import (
	"bytes"
	"encoding/binary"
	"hash"
)

// Hash of the first two segments of a key, up to the second slash; of all of it
// if there are fewer. It places all keys that begin alike in one partition: FNV-1a
// with the finishing steps of MurmurHash3. Never change it: it decides which
// partition of a table a key is in. Below 2^31, since goka mishandles int32's
// least value.
func Hash(key []byte) uint32 {
	if i := bytes.IndexByte(key, '/'); i >= 0 {
		if j := bytes.IndexByte(key[i+1:], '/'); j >= 0 {
			key = key[:i+1+j]
		}
	}
	x := uint32(2166136261)
	for _, c := range key {
		x = (x ^ uint32(c)) * 16777619
	}
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	return x & 0x7fffffff
}

// PartitionOf is the partition, of n, of a key.
func PartitionOf(key string, n int32) int32 { return int32(Hash([]byte(key))) % n }

// NewHasher is Hash in the form that goka and sarama's partitioner take.
func NewHasher() hash.Hash32 { return new(hasher) }

type hasher struct{ key []byte }

func (h *hasher) Write(p []byte) (int, error) { h.key = append(h.key, p...); return len(p), nil }
func (h *hasher) Reset()                      { h.key = h.key[:0] }
func (h *hasher) Size() int                   { return 4 }
func (h *hasher) BlockSize() int              { return 1 }
func (h *hasher) Sum(b []byte) []byte         { return binary.BigEndian.AppendUint32(b, h.Sum32()) }
func (h *hasher) Sum32() uint32               { return Hash(h.key) }
