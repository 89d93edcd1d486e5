package codecs

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// The scan walks the object, and those that a path leads into, name by name, and
// skips other values without looking at more of them than it takes to find their
// end. Positions are indexes into the document; a negative one means that the JSON
// is broken.

func (c *jsonCodec) scan(b []byte) (int64, Status) {
	var outer [maxPath]*tree // of the objects that we are inside of
	depth, fields := 0, c.fields
	i := skipSpace(b, 0)
	if i == len(b) || b[i] != '{' {
		return 0, Malformed
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		return atEnd(b, i+1)
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return 0, Malformed
		}
		start := i + 1
		// Names are short: byte by byte is faster than to find the quote in a
		// word, since the processor guesses the length.
		end, escaped := start, false
		for end < len(b) && b[end] != '"' && b[end] != '\\' {
			end++
		}
		if end == len(b) {
			return 0, Malformed
		}
		if b[end] == '\\' {
			if end, escaped = escapedEnd(b, end), true; end < 0 {
				return 0, Malformed
			}
		}
		if i = end + 1; i < len(b) && b[i] != ':' {
			i = skipSpace(b, i)
		}
		if i >= len(b) || b[i] != ':' {
			return 0, Malformed
		}
		if i = skipSpace(b, i+1); i == len(b) {
			return 0, Malformed
		}
		var found *branch
		if name := b[start:end]; escaped {
			found = fields.matchEscaped(name)
		} else if start < end && fields.mayMatch(name) {
			found = fields.match(name)
		}
		switch {
		case found == nil || b[i] == 'n':
		case b[i] == '{' && found.down != nil:
			if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
				i++
				goto behind
			}
			outer[depth], fields = fields, found.down
			depth++
			continue
		case found.time:
			return c.value(b, i)
		}
		if i = valueEnd(b, i); i < 0 {
			return 0, Malformed
		}
	behind:
		if i = skipSpace(b, i); i == len(b) {
			return 0, Malformed
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case '}':
			i++
			if depth == 0 {
				return atEnd(b, i)
			}
			depth--
			fields = outer[depth]
			goto behind
		default:
			return 0, Malformed
		}
	}
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
