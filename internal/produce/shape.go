package produce

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// A kind of message is what an audit makes of its time.
type kind uint8

const (
	timedKind    kind = iota
	timelessKind      // JSON without the time field
	garbledKind       // not JSON
)

// A shaper makes messages that look like real ones: orders and clicks, with a
// nested object before the time and more behind it. The nested object of orders
// has a field of the same name with another time, which must not count.
type shaper struct {
	rng   *rand.Rand
	field string // quoted
	bytes int
	noise string
}

func newShaper(seed uint64, field string, bytes int) *shaper {
	s := &shaper{rng: rand.New(rand.NewPCG(seed, 0x6368617065726f6e)), field: strconv.Quote(field), bytes: bytes}
	// Padding is words rather than one letter, so that it compresses as text does.
	words := strings.Fields("leave at the door please ring twice gift wrap fragile second floor back entrance call before delivery")
	var b strings.Builder
	for b.Len() < bytes+64 {
		b.WriteString(words[s.rng.IntN(len(words))])
		b.WriteByte(' ')
	}
	s.noise = b.String()
	return s
}

// pick chooses a kind by the shares.
func (s *shaper) pick(noTime, malformed float64) kind {
	switch x := s.rng.Float64(); {
	case x < noTime:
		return timelessKind
	case x < noTime+malformed:
		return garbledKind
	}
	return timedKind
}

var (
	countries = []string{"DE", "NL", "IN", "BR", "US", "JP", "KE"}
	pages     = []string{"/", "/cart", "/search?q=running+shoes", "/p/4711", "/checkout"}
)

// message makes a key and a value. Every third time is RFC 3339, the others
// are milliseconds.
func (s *shaper) message(topic string, k kind, event time.Time) (key, value []byte) {
	r := s.rng
	user := r.IntN(50_000)
	clicks := strings.Contains(topic, "click")
	b := make([]byte, 0, s.bytes+64)
	if clicks {
		key = fmt.Appendf(nil, "session-%d", user)
		b = fmt.Appendf(b, `{"session":"%08x","page":%q,"user":{"id":%d,"country":%q,"tags":["a","b\"c"]}`,
			r.Uint32(), pages[r.IntN(len(pages))], user, countries[user%len(countries)])
	} else {
		key = fmt.Appendf(nil, "customer-%d", user)
		b = fmt.Appendf(b, `{"order_id":"o-%08x","customer":{"id":%d,"country":%q,%s:%d},"items":[{"sku":"s%d","qty":%d}]`,
			r.Uint32(), user, countries[user%len(countries)], s.field, event.Add(-26*time.Hour).UnixMilli(), r.IntN(900), 1+r.IntN(4))
	}
	if k == garbledKind {
		// What a producer leaves that dies while writing: the text ends within
		// a string, before the time.
		return key, append(b, `,"note":"`+s.noise[:max(0, s.bytes-len(b)-9)]...)
	}
	if k == timedKind {
		b = append(append(append(b, ','), s.field...), ':')
		if r.IntN(3) == 0 {
			b = event.UTC().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.000Z07:00")
			b = append(b, '"')
		} else {
			b = strconv.AppendInt(b, event.UnixMilli(), 10)
		}
	}
	b = fmt.Appendf(b, `,"total":%d.%02d,"note":"`, r.IntN(500), r.IntN(100))
	b = append(b, s.noise[:max(0, s.bytes-len(b)-2)]...)
	return key, append(b, `"}`...)
}
