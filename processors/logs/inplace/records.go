package inplace

import (
	"encoding/binary"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// records are those of one batch, walked in place. Numbers are zigzag varints:
//
//	length  attributes(1)  time delta  offset delta  key length, key  value length, value  headers
//
// A length below zero is null. Headers are left as they are, for [codecs.Headers].
type records struct {
	b          []byte
	base, time int64
	kind       codecs.TimeType
	from       int64 // records below are passed over: a batch may begin before the position
	next       int64 // offsets must lie below
	last       int64 // offset of the last record; the next must be higher
	left       int32
}

func (x *records) open(h *head, body []byte, from int64) {
	*x = records{b: body, base: h.base, time: h.firstTime, kind: codecs.CreateTime, from: from, next: h.next, last: h.base - 1, left: h.count}
	if h.attrs&attrAppendTime != 0 {
		x.time, x.kind = h.lastTime, codecs.LogAppendTime
	}
}

// read takes the next record. At the end done is true, and ok whether the batch
// ended as it said it would.
func (x *records) read(r *logs.Record) (done, ok bool) {
	for x.left > 0 {
		x.left--
		if !x.parse(r) {
			return true, false
		}
		if r.Offset >= x.from {
			return false, true
		}
	}
	return true, len(x.b) == 0 && x.left == 0
}

func (x *records) parse(r *logs.Record) bool {
	size, i := varint(x.b)
	if i <= 0 || size < 0 || size > int64(len(x.b)-i) {
		return false
	}
	b := x.b[i : i+int(size)]
	x.b = x.b[i+int(size):]
	if len(b) == 0 {
		return false
	}
	b = b[1:]
	time, i := varint(b)
	if i <= 0 {
		return false
	}
	offset, j := varint(b[i:])
	if j <= 0 {
		return false
	}
	b = b[i+j:]
	r.Offset = x.base + offset
	if r.Offset <= x.last || r.Offset >= x.next {
		return false
	}
	x.last = r.Offset
	r.Time, r.TimeType = x.time, x.kind
	if x.kind == codecs.CreateTime {
		r.Time += time
	}
	n, i := varint(b)
	if i <= 0 || n > int64(len(b)-i) {
		return false
	}
	b = b[i:]
	r.Key = nil
	if n >= 0 {
		r.Key, b = b[:n:n], b[n:]
	}
	n, i = varint(b)
	if i <= 0 || n > int64(len(b)-i) {
		return false
	}
	b = b[i:]
	r.Value = nil
	if n >= 0 {
		r.Value, b = b[:n:n], b[n:]
	}
	r.Headers = codecs.Headers(b)
	return len(b) > 0
}

// varint is binary.Varint with the common lengths first.
func varint(b []byte) (int64, int) {
	if len(b) > 1 {
		if b[0] < 0x80 {
			return int64(b[0]>>1) ^ -int64(b[0]&1), 1
		}
		if b[1] < 0x80 {
			u := uint64(b[0]&0x7f) | uint64(b[1])<<7
			return int64(u>>1) ^ -int64(u&1), 2
		}
	}
	return binary.Varint(b)
}
