package audit

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
)

// An object is JSON text that ends inside an object, after '{' or a member.
// Its methods append one member each; those with Unless in their name leave it
// out where absence says as much.
type object []byte

func (o *object) key(name string) {
	if (*o)[len(*o)-1] != '{' {
		*o = append(*o, ',')
	}
	*o = append(appendString(*o, name), ':')
}

// open begins a nested object, close ends it.
func (o *object) open(name string) {
	o.key(name)
	*o = append(*o, '{')
}

func (o *object) close(u unknown) {
	if u != "" {
		if (*o)[len(*o)-1] != '{' {
			*o = append(*o, ',')
		}
		*o = append(*o, u...)
	}
	*o = append(*o, '}')
}

func (o *object) str(name, s string) {
	o.key(name)
	*o = appendString(*o, s)
}

func (o *object) strUnless(empty bool, name, s string) {
	if s != "" || !empty {
		o.str(name, s)
	}
}

func (o *object) int(name string, n int64) {
	o.key(name)
	*o = strconv.AppendInt(*o, n, 10)
}

func (o *object) intUnless(absent int64, name string, n int64) {
	if n != absent {
		o.int(name, n)
	}
}

func (o *object) uint(name string, n uint64) {
	o.key(name)
	*o = strconv.AppendUint(*o, n, 10)
}

func (o *object) uintUnless0(name string, n uint64) {
	if n != 0 {
		o.uint(name, n)
	}
}

func (o *object) boolUnlessFalse(name string, b bool) {
	if b {
		o.key(name)
		*o = append(*o, "true"...)
	}
}

func (o *object) float(name string, x float64) {
	o.key(name)
	*o = strconv.AppendFloat(*o, x, 'f', -1, 64)
}

func (o *object) null(name string) {
	o.key(name)
	*o = append(*o, "null"...)
}

func (o *object) base64(name string, data []byte) {
	o.key(name)
	*o = append(*o, '"')
	*o = base64.StdEncoding.AppendEncode(*o, data)
	*o = append(*o, '"')
}

// appendString leaves all but plain ASCII to encoding/json, whose spelling it
// shares, so that json.Marshal gives the same bytes as AppendJSON.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain(s[i]) {
			quoted, _ := json.Marshal(s) // a string cannot fail
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func plain(c byte) bool {
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
}

// thousandths drops digits that a latency with an error of 1 % does not have.
func thousandths(x float64) float64 { return math.Round(x*1000) / 1000 }
