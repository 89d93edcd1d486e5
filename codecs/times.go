package codecs

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// Times reads event times out of numbers and texts, as a rule has it: all formats
// give the same answer to the same number and to the same text. Its methods are safe
// for concurrent use, and allocate nothing, unless a text has to be held against a
// layout that it does not fit.
//
// A number counts units since 1970. Without a Unit it is told by its magnitude, in
// steps of a thousand: up to 999,999,999,999 seconds (as in the original
// Chaperone), up to 999,999,999,999,999 milliseconds, up to 10^18-1 microseconds,
// above that nanoseconds. That is right for times from September 2001 to the year
// 33658, and in nanoseconds to 2262. 0 and negative ones are times as well. Parts of
// a millisecond are cut off towards the past, so that no instant moves into the next
// window; what overflows milliseconds in 64 bits is no time.
//
// A text of at most 63 bytes is a time in RFC 3339, or in one of Layouts, or a number
// as JSON has it.
type Times struct {
	unit    unit
	layouts []layout
	zone    *time.Location
	name    string
}

// maxText is the length in bytes, decoded, of the longest name and the longest text
// that can be a time.
const maxText = 63

// TimeKeys are the settings that NewTimes understands.
var TimeKeys = []string{"unit", "layouts", "zone"}

// NewTimes makes Times of a rule. What is wrong with it goes to p.
func NewTimes(r Rule, p *Problems) Times {
	t := Times{zone: time.UTC}
	var ok bool
	if t.unit, ok = units[r.Unit]; !ok {
		p.Add("unit", "%q is not a unit; use s, ms, us or ns, or leave it out to tell them apart by magnitude", r.Unit)
	}
	for _, l := range r.Layouts {
		checkLayout(l, p)
		_, n := scanDecimal([]byte(sample.Format(l)))
		t.layouts = append(t.layouts, layout{l, n == len(sample.Format(l))})
	}
	if r.Zone != "" {
		if s, ok := zoneOffset([]byte(r.Zone)); ok {
			t.zone = time.FixedZone(r.Zone, s)
		} else {
			// Rules of a named zone change, and with them would what has been counted.
			p.Add("zone", "%q is no offset from UTC, such as +02:00; named zones are not taken, for their rules change", r.Zone)
		}
		if len(r.Layouts) == 0 {
			p.Add("zone", "is set without layouts; leave it out, since RFC 3339 has its own")
		}
	}
	var set []string
	if r.Unit != "" {
		set = append(set, "unit="+r.Unit)
	}
	if len(r.Layouts) > 0 {
		set = append(set, "layouts="+Quoted(r.Layouts))
	}
	if r.Zone != "" {
		set = append(set, "zone="+r.Zone)
	}
	t.name = strings.Join(set, ",")
	return t
}

// Names are the settings as they go into the Name of a codec, none if all are the default.
func (t *Times) Names() []string {
	if t.name == "" {
		return nil
	}
	return []string{t.name}
}

// A layout is how texts look; all digits, if they can be taken for a number.
type layout struct {
	text   string
	digits bool
}

// sample is a time of which each part is another number.
var sample = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)

// checkLayout refuses a layout that does not hold a moment. Names of zones are no
// part of one: what they mean depends on where it is read.
func checkLayout(layout string, p *Problems) {
	a := sample
	for _, b := range []time.Time{a.AddDate(1, 0, 0), a.AddDate(0, 1, 0), a.AddDate(0, 0, 1), a.Add(time.Hour), a.Add(12 * time.Hour), a.Add(time.Minute)} {
		if a.Format(layout) == b.Format(layout) {
			p.Add("layouts", "%q does not tell %s from %s; write how 2006-01-02 15:04:05 would look", layout, a.Format(time.DateTime), b.Format(time.DateTime))
			return
		}
	}
	if strings.Contains(layout, "MST") {
		p.Add("layouts", "%q has the name of a zone, which means different things in different places; use an offset such as -07:00, or zone", layout)
	}
	if len(a.Format(layout)) > maxText {
		p.Add("layouts", "%q is longer than %d bytes", layout, maxText)
	}
	if got, err := time.Parse(layout, a.Format(layout)); err != nil || !got.Equal(a.Truncate(time.Minute)) && !got.Equal(a) {
		p.Add("layouts", "%q does not read what it writes", layout)
	}
}

// Int reads a signed number.
func (t *Times) Int(n int64) (ms int64, ok bool) {
	if n < 0 {
		return decimal{mant: uint64(-n), neg: true}.time(t.unit)
	}
	return decimal{mant: uint64(n)}.time(t.unit)
}

// Uint reads an unsigned number.
func (t *Times) Uint(n uint64) (ms int64, ok bool) { return decimal{mant: n}.time(t.unit) }

// Float reads the shortest decimal number that is this one, as a JSON encoder
// would write it: in a product with 1000 binary rounding could move it into the
// window before.
func (t *Times) Float(x float64) (ms int64, ok bool) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, false
	}
	var buf [32]byte
	b := strconv.AppendFloat(buf[:0], x, 'e', -1, 64)
	d, n := scanDecimal(b)
	if n != len(b) {
		return 0, false
	}
	return d.time(t.unit)
}

// Text reads a text.
func (t *Times) Text(b []byte) (ms int64, ok bool) {
	if len(b) > maxText {
		return 0, false
	}
	if len(b) > 4 && b[0] != '-' && b[4] == '-' && b[3]-'0' <= 9 {
		if ms, ok = parseRFC3339(b); ok { // no number has its only minus behind a fourth digit
			return ms, true
		}
	}
	d, n := scanDecimal(b)
	number := n > 0 && n == len(b)
	for _, l := range t.layouts {
		// A layout of digits goes before a number; no other one fits it.
		if number && !l.digits {
			continue
		}
		if ms, ok = t.layout(l.text, b); ok {
			return ms, true
		}
	}
	if number {
		return d.time(t.unit)
	}
	return 0, false
}

// layout reads a text by a layout. [time.ParseInLocation] keeps no reference to its
// text, but in errors, which are dropped.
func (t *Times) layout(layout string, b []byte) (ms int64, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	x, err := time.ParseInLocation(layout, unsafe.String(&b[0], len(b)), t.zone)
	if err != nil {
		return 0, false
	}
	return x.UnixMilli(), true // rounds towards the past
}

// Quoted joins words by a bar for the name of a codec, and quotes those that could
// be taken for something else.
func Quoted(words []string) string {
	list := slices.Clone(words)
	for i, w := range list {
		if strings.ContainsFunc(w, func(c rune) bool {
			return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.'
		}) {
			list[i] = strconv.Quote(w)
		}
	}
	return strings.Join(list, "|")
}

// Named is the name of a codec: its kind, and in brackets the settings that differ
// from the default. It is part of records and of digests.
func Named(kind string, settings ...string) string {
	if len(settings) == 0 {
		return kind
	}
	return fmt.Sprintf("%s(%s)", kind, strings.Join(settings, ","))
}
