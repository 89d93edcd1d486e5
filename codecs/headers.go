package codecs

import (
	"encoding/binary"
	"iter"
)

// Headers are record headers in the encoding of record batch v2: a varint
// count, then for each a varint-prefixed key and value. Decoded only if asked.
type Headers []byte

// AppendHeaderCount begins the encoding of n headers, for readers that get them
// decoded; n times AppendHeader completes it.
func AppendHeaderCount(h Headers, n int) Headers {
	return binary.AppendVarint(h, int64(n))
}

// AppendHeader appends one header. A nil value is null.
func AppendHeader(h Headers, key, value []byte) Headers {
	h = append(binary.AppendVarint(h, int64(len(key))), key...)
	if value == nil {
		return binary.AppendVarint(h, -1)
	}
	return append(binary.AppendVarint(h, int64(len(value))), value...)
}

// All yields the headers in order; a null value is nil. Broken encodings end
// the iteration.
func (h Headers) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		n, b, ok := varint(h)
		for ; ok && n > 0; n-- {
			var k, v []byte
			if k, b, ok = field(b); !ok {
				return
			}
			if v, b, ok = field(b); !ok || !yield(k, v) {
				return
			}
		}
	}
}

// Get is the value of the last header of that name.
func (h Headers) Get(name string) (value []byte, ok bool) {
	for k, v := range h.All() {
		if string(k) == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// varint is binary.Varint with the rest of b.
func varint(b []byte) (x int64, rest []byte, ok bool) {
	x, n := binary.Varint(b)
	if n <= 0 {
		return 0, nil, false
	}
	return x, b[n:], true
}

func field(b []byte) (f, rest []byte, ok bool) {
	n, b, ok := varint(b)
	switch {
	case !ok || n < -1 || n > int64(len(b)):
		return nil, nil, false
	case n == -1:
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}
