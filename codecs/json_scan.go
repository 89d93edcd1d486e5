package codecs

import (
	"bytes"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// The scan looks for quotes and brackets, and reads the name in a string only where
// one can be: on the level that the path has come to. Values are passed over without
// being looked at. Positions are indexes into the document; a negative one means that
// the JSON is broken.

// scan finds the time of a document.
func (c *jsonCodec) scan(b []byte) (int64, Status) {
	begin := skipSpace(b, 0)
	if begin == len(b) || b[begin] != '{' {
		return 0, Malformed
	}
	s := scanner{b: b, fields: c.fields, level: 1, enter: -1}
	// Many documents begin with the time.
	if i := skipSpace(b, begin+1); i < len(b) && b[i] == '"' {
		if value := s.member(i + 1); value >= 0 {
			return c.value(b, value)
		}
	}
	for base := begin; base < len(b); base += blockSize {
		if value, end := s.block(base); value >= 0 {
			return c.value(b, value)
		} else if end >= 0 {
			return atEnd(b, end)
		}
	}
	return 0, Malformed
}

// A scanner is where a scan has come to.
type scanner struct {
	b      []byte
	within within
	depth  int   // of brackets, at the block's beginning
	level  int   // depth of the members that fields are about
	fields *tree // that are looked for there
	enter  int   // the bracket that begins the object which the path leads into, -1 if there was none
	next   *tree // what is looked for in there
}

// block scans 64 bytes from base, or as many as are left, for the position of a value
// that is the time, or of what is behind the document. Both are -1 if they are not
// there.
func (s *scanner) block(base int) (value, end int) {
	var quotes, brackets, backslashes, letters uint64
	if len(s.b)-base >= blockSize {
		quotes, brackets, backslashes, letters = find((*block)(s.b[base:]), s.fields.letter)
	} else {
		var last block
		copy(last[:], s.b[base:])
		quotes, brackets, backslashes, letters = find(&last, s.fields.letter)
	}
	if backslashes|s.within.escape != 0 {
		quotes &^= s.within.escaped(backslashes)
	}
	strings := s.within.strings(quotes)
	// Of strings those are looked at which begin with the letter that names have, or
	// with an escape; of the last one that is not known.
	begins := (letters|backslashes)>>1 | 1<<63
	if s.fields.letter == 0 {
		begins = ^uint64(0)
	}
	for events := quotes&strings&begins | brackets&^strings; events != 0; events &= events - 1 {
		i := base + bits.TrailingZeros64(events)
		switch s.b[i] {
		case '"':
			if s.depth == s.level {
				if value := s.member(i + 1); value >= 0 {
					return value, -1
				}
			}
		case '{', '[':
			if s.depth++; i == s.enter {
				s.level, s.fields = s.depth, s.next
				if s.fields.letter != s.fields.up.letter {
					// What the rest of the block was searched for was another letter.
					events |= quotes & strings &^ (2<<(i-base) - 1)
				}
			}
		case '}', ']':
			if s.depth--; s.depth == 0 {
				return -1, i + 1
			}
			if s.depth < s.level {
				if s.level--; s.fields.letter != s.fields.up.letter {
					events |= quotes & strings &^ (2<<(i-base) - 1)
				}
				s.fields = s.fields.up
			}
		}
	}
	return -1, -1
}

// member looks at a string that begins at i: whether it is the name of a field, and
// its value the time, whose position it gives, or an object that the path leads into.
func (s *scanner) member(i int) (value int) {
	b, start, escaped := s.b, i, false
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	if i < len(b) && b[i] == '\\' {
		if i, escaped = escapedEnd(b, i), true; i < 0 {
			return -1
		}
	}
	if i == len(b) {
		return -1
	}
	var found *branch
	if name := b[start:i]; escaped {
		found = s.fields.matchEscaped(name)
	} else {
		found = s.fields.match(name)
	}
	if found == nil {
		return -1
	}
	// A string that is a value has no colon behind it.
	if i = skipSpace(b, i+1); i == len(b) || b[i] != ':' {
		return -1
	}
	if i = skipSpace(b, i+1); i == len(b) || literalEnd(b, i, "null") > 0 {
		return -1
	}
	if b[i] == '{' && found.down != nil {
		s.enter, s.next = i, found.down
		return -1
	}
	if !found.time {
		return -1
	}
	return i
}

// value reads the time at b[i].
func (c *jsonCodec) value(b []byte, i int) (ms int64, s Status) {
	var ok bool
	if b[i] == '"' {
		end, escaped := stringEnd(b, i+1)
		if end < 0 {
			return 0, Malformed
		}
		ms, ok = c.text(b[i+1:end], escaped)
		i = end + 1
	} else {
		d, n := scanDecimal(b[i:])
		if n == 0 {
			return 0, Malformed
		}
		ms, ok = d.time(c.times.unit)
		i += n
	}
	// What ends the document here is no delimiter: the number may have been cut.
	if i = skipSpace(b, i); !ok || i == len(b) || b[i] != ',' && b[i] != '}' {
		return 0, Malformed
	}
	return ms, Found
}

// text reads the time that a string holds.
func (c *jsonCodec) text(b []byte, escaped bool) (ms int64, ok bool) {
	if escaped {
		// Some encoders escape the + of a zone.
		var buf [maxText]byte
		n, ok := unescape(&buf, b)
		if !ok {
			return 0, false
		}
		b = buf[:n]
	}
	return c.times.Text(b)
}

// matchEscaped is match of a name that is not decoded.
func (t *tree) matchEscaped(name []byte) *branch {
	var buf [maxText]byte
	n, ok := unescape(&buf, name)
	if !ok {
		return nil
	}
	return t.match(buf[:n])
}

// atEnd is the answer at the end of an object without a time.
func atEnd(b []byte, i int) (int64, Status) {
	if skipSpace(b, i) != len(b) {
		return 0, Malformed
	}
	return 0, None
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// stringEnd is the position of the quote that ends the string whose contents
// begin at i, and whether there are escapes before it.
func stringEnd(b []byte, i int) (end int, escaped bool) {
	for ; len(b)-i >= 8; i += 8 {
		if hit := word(b, i).quotes(); hit != 0 {
			if i += hit.first(); b[i] == '"' {
				return i, false
			}
			return escapedEnd(b, i), true
		}
	}
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i, false
		case '\\':
			return escapedEnd(b, i), true
		}
	}
	return -1, false
}

// escapedEnd is stringEnd from the first backslash on.
func escapedEnd(b []byte, i int) int {
	for i < len(b) {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		end := i + n
		backslashes := 0
		for j := end; j > i && b[j-1] == '\\'; j-- {
			backslashes++
		}
		if backslashes%2 == 0 {
			return end
		}
		i = end + 1
	}
	return -1
}

// valueEnd is the position behind the value that begins at i.
func valueEnd(b []byte, i int) int {
	switch b[i] {
	case '"':
		end, _ := stringEnd(b, i+1)
		if end < 0 {
			return -1
		}
		return end + 1
	case '{', '[':
		return nestedEnd(b, i)
	case 't':
		return literalEnd(b, i, "true")
	case 'f':
		return literalEnd(b, i, "false")
	case 'n':
		return literalEnd(b, i, "null")
	}
	return numberEnd(b, i)
}

// nestedEnd is the position behind the object or array that begins at i. It
// only counts brackets.
func nestedEnd(b []byte, i int) int {
	for depth := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i, _ = stringEnd(b, i+1); i < 0 {
				return -1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

func literalEnd(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

// numberEnd is the position behind the number that begins at i.
func numberEnd(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	start := i
	i = digitsEnd(b, i)
	if i == start || b[start] == '0' && i > start+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		start = i + 1
		if i = digitsEnd(b, start); i == start {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		start = i
		if i = digitsEnd(b, start); i == start {
			return -1
		}
	}
	return i
}

// validatable refuses what must not reach the validator. It recurses, so b may
// nest no deeper than max; it quotes all that follows a misspelt literal in an
// error of every level; and behind an escape it misses control characters in
// strings.
func validatable(b []byte, max int) bool {
	for i, depth := 0, 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			start := i + 1
			if i, _ = stringEnd(b, start); i < 0 || hasControl(b[start:i]) {
				return false
			}
		case '{', '[':
			if depth++; depth > max {
				return false
			}
		case '}', ']':
			depth--
		case 't', 'f', 'n':
			if i = valueEnd(b, i) - 1; i < 0 {
				return false
			}
		}
	}
	return true
}

// unescape decodes the contents of a string. It is not ok if an escape is
// broken or the result does not fit. Half a surrogate pair becomes U+FFFD.
func unescape(dst *[maxText]byte, b []byte) (n int, ok bool) {
	for len(b) > 0 {
		r, size := rune(b[0]), 1
		var enc [utf8.UTFMax]byte
		enc[0] = b[0]
		length := 1
		if r == '\\' {
			if r, size = unescapeRune(b); size == 0 {
				return 0, false
			}
			length = utf8.EncodeRune(enc[:], r)
		}
		if n+length > len(dst) {
			return 0, false
		}
		n += copy(dst[n:], enc[:length])
		b = b[size:]
	}
	return n, true
}

// unescapeRune decodes the escape at the start of b; size 0 if it is broken.
func unescapeRune(b []byte) (r rune, size int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch b[1] {
	case '"', '\\', '/':
		return rune(b[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, ok := hex4(b)
		if !ok {
			return 0, 0
		}
		if utf16.IsSurrogate(r) {
			if low, ok := hex4(b[6:]); ok {
				if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
					return both, 12
				}
			}
			return utf8.RuneError, 6
		}
		return r, 6
	}
	return 0, 0
}

// hex4 reads \uXXXX at the start of b.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case lowerByte(c)-'a' <= 5:
			c = lowerByte(c) - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
