package avro

import "math"

// A program skips the values of one type. It is short: neighbours of a kind are one
// op, and whatever has a fixed width is a number of bytes.
type program struct{ ops []op }

// An op skips one or more values in a row.
type op struct {
	kind opKind
	n    int        // how many bytes, numbers, texts or symbols
	subs []*program // the branches of a union, the only item of blocks, the only record
}

type opKind uint8

const (
	fixed  opKind = iota // n bytes
	ints                 // n numbers of 32 bits
	longs                // n numbers of 64 bits
	texts                // n lengths, each followed by so many bytes
	symbol               // an index below n
	union                // an index of subs, and what that skips
	blocks               // what arrays and maps are: counts, each followed by so many items
	record               // what is not of fixed width
)

// maxDepth is how deep records, unions and blocks may nest in a message. A schema
// that refers to itself sets no bound, and the stack must have one.
const maxDepth = 512

// skip gives the index behind the values that begin at b[i], or -1 if they are not
// whole. It ends soon, whatever the bytes: types without any are no ops, so each op
// reads one at least.
func skip(ops []op, b []byte, i, depth int) int {
	for k := range ops {
		switch o := &ops[k]; o.kind {
		case fixed:
			if o.n > len(b)-i {
				return -1
			}
			i += o.n
		case ints:
			for range o.n {
				if i = intEnd(b, i); i < 0 {
					return -1
				}
			}
		case longs:
			for range o.n {
				if i = longEnd(b, i); i < 0 {
					return -1
				}
			}
		case texts:
			for range o.n {
				if _, i = text(b, i); i < 0 {
					return -1
				}
			}
		case symbol:
			if _, i = index(b, i, o.n); i < 0 {
				return -1
			}
		case union:
			var branch int
			if branch, i = index(b, i, len(o.subs)); i < 0 {
				return -1
			}
			sub := o.subs[branch]
			if len(sub.ops) == 0 {
				continue
			}
			if i = sub.skip(b, i, depth); i < 0 {
				return -1
			}
		case blocks:
			if i = skipBlocks(o.subs[0], b, i, depth); i < 0 {
				return -1
			}
		case record:
			if i = o.subs[0].skip(b, i, depth); i < 0 {
				return -1
			}
		}
	}
	return i
}

// skip goes one level down.
func (p *program) skip(b []byte, i, depth int) int {
	if depth == 0 {
		return -1
	}
	return skip(p.ops, b, i, depth-1)
}

// skipBlocks skips an array or a map. A count is the number of items in the block;
// a negative one is followed by its length in bytes, and zero ends them.
func skipBlocks(item *program, b []byte, i, depth int) int {
	width := item.width()
	for {
		var count int64
		if count, i = long(b, i); i < 0 || count == 0 {
			return i
		}
		size := int64(-1)
		if count < 0 {
			if size, i = long(b, i); i < 0 || size < 0 || size > int64(len(b)-i) || count == math.MinInt64 {
				return -1
			}
			count = -count
		}
		// A count that the bytes cannot hold is refused before it is believed.
		room := int64(len(b) - i)
		if size >= 0 {
			room = size
		}
		switch {
		case width == 0:
		case width > 0 && count > room/int64(width), width < 0 && count > room:
			return -1
		case size < 0 && width > 0:
			i += int(count) * width
		case size < 0:
			for range count {
				if i = item.skip(b, i, depth); i < 0 {
					return -1
				}
			}
		}
		if size > 0 {
			i += int(size)
		}
	}
}

// width is how many bytes a value has, or -1 if that depends on it; then it has one
// at least.
func (p *program) width() int {
	switch {
	case len(p.ops) == 0:
		return 0
	case len(p.ops) == 1 && p.ops[0].kind == fixed:
		return p.ops[0].n
	}
	return -1
}
