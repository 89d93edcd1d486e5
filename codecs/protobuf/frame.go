package protobuf

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"
)

// Before a message Confluent's serializers write which schema it has, and which of
// the message types that the schema declares it is:
//
//	| 0 | schema, 4 bytes, the most significant first | count | index | ... | message |
//
// Count and indexes are zigzag varints. The indexes lead from the types at the top of
// the file, in order of declaration, to those nested in them; that [0], the first
// one, is nearly always meant is why a count of 0 stands for it.

// cutSchema cuts the number of the schema off.
func cutSchema(b []byte) (id uint32, index []byte, ok bool) {
	if len(b) < 6 || b[0] != 0 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(b[1:]), b[5:], true
}

// cutZigzag cuts a number off that must not be negative.
func cutZigzag(b []byte) (x int64, rest []byte, ok bool) {
	u, n := protowire.ConsumeVarint(b)
	if n < 0 {
		return 0, nil, false
	}
	x = protowire.DecodeZigZag(u)
	return x, b[n:], x >= 0
}

// skipIndex cuts the message index off. Every index takes a byte, so a count that lies
// costs no more than the message is long.
func skipIndex(b []byte) (message []byte, ok bool) {
	count, b, ok := cutZigzag(b)
	for ; ok && count > 0; count-- {
		_, b, ok = cutZigzag(b)
	}
	return b, ok
}

// at is the message type that an index leads to from the top of a schema, and the
// message behind; nil if there is none, or no schema.
func (t *messageType) at(b []byte) (found *messageType, message []byte) {
	count, b, ok := cutZigzag(b)
	if ok && count == 0 {
		return t.inner(0), b
	}
	for ; ok && t != nil && count > 0; count-- {
		var i int64
		if i, b, ok = cutZigzag(b); ok {
			t = t.inner(i)
		}
	}
	if !ok {
		return nil, nil
	}
	return t, b
}

func (t *messageType) inner(i int64) *messageType {
	if t == nil || i >= int64(len(t.nested)) {
		return nil
	}
	return t.nested[i]
}
