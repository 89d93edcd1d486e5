package audit

import "strings"

// PartitionOf is the partition, of n, of the audit topic that a record with the given
// Key belongs in. Who reports must heed it, for everything about a topic is collected
// in one place: it depends on what stands before the second slash. It is FNV-1a with
// the finishing steps of MurmurHash3, without the highest bit, modulo n.
func PartitionOf(key string, n int32) int32 {
	if i := strings.IndexByte(key, '/'); i >= 0 {
		if j := strings.IndexByte(key[i+1:], '/'); j >= 0 {
			key = key[:i+1+j]
		}
	}
	x := uint32(2166136261)
	for i := range len(key) {
		x = (x ^ uint32(key[i])) * 16777619
	}
	x ^= x >> 16
	x *= 0x85ebca6b
	x ^= x >> 13
	return int32(x&0x7fffffff) % n
}
