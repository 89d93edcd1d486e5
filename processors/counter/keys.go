package counter

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Key names an entry of the table within its source. Each session of an
// instance writes under an Owner of its own, unique but not ordered. So every
// key has one writer whose writes are in order, and "last entry of a key" is
// "highest version of a key": compaction can never keep a paused owner's stale
// entry instead of a newer one.
//
// As text, after the prefix of the source:
//
//	generation/segment/window/owner   a row
//	generation/L/owner                a ledger
type Key struct {
	Owner      string // not empty, without '/'
	Ledger     bool   // else a row, with Segment and Window
	Generation int64
	Segment    int64
	Window     int64
}

// Append appends the text of the key.
func (k Key) Append(b []byte) []byte {
	b = append(strconv.AppendInt(b, k.Generation, 10), '/')
	if k.Ledger {
		b = append(b, "L/"...)
	} else {
		b = append(strconv.AppendInt(b, k.Segment, 10), '/')
		b = append(strconv.AppendInt(b, k.Window, 10), '/')
	}
	return append(b, k.Owner...)
}

// compare orders keys by generation, rows before ledgers, segment, window, owner.
func (k Key) compare(o Key) int {
	ledger := 0
	if k.Ledger != o.Ledger {
		if ledger = 1; o.Ledger {
			ledger = -1
		}
	}
	return cmp.Or(cmp.Compare(k.Generation, o.Generation), ledger, cmp.Compare(k.Segment, o.Segment),
		cmp.Compare(k.Window, o.Window), cmp.Compare(k.Owner, o.Owner))
}

func (k Key) String() string { return string(k.Append(nil)) }

// ParseKey reads what Append writes, and nothing else. A recovery reads hundreds of
// thousands of them.
func ParseKey(s string) (Key, error) {
	var k Key
	var middle, last string
	first, rest, ok := strings.Cut(s, "/")
	if ok {
		middle, rest, ok = strings.Cut(rest, "/")
	}
	ok = ok && number(first, &k.Generation)
	if middle == "L" {
		k.Ledger, k.Owner = true, rest
	} else if ok {
		last, k.Owner, ok = strings.Cut(rest, "/")
		ok = ok && number(middle, &k.Segment) && number(last, &k.Window)
	}
	if !ok || k.Owner == "" || strings.Contains(k.Owner, "/") || k.Generation < 0 || k.Segment < 0 {
		return Key{}, fmt.Errorf("table key %q: want generation/segment/window/owner or generation/L/owner, as they are written", s)
	}
	return k, nil
}

// number reads a number in the one form in which it is written.
func number(s string, n *int64) bool {
	v, err := strconv.ParseInt(s, 10, 64)
	*n = v
	digits := strings.TrimPrefix(s, "-")
	return err == nil && s[0] != '+' && (digits[0] != '0' || s == "0")
}

// SourcePrefix is what the keys of all entries of a source begin with. Its
// first two parts, up to the second slash, choose the shard:
//
//	cluster:topic/partition/topicid/
//
// Cluster holds neither ':' nor '/', and topic no '/'.
func SourcePrefix(s audit.Source) string {
	b := make([]byte, 0, len(s.Cluster)+len(s.Topic)+36)
	b = append(append(append(b, s.Cluster...), ':'), s.Topic...)
	b = strconv.AppendInt(append(b, '/'), int64(s.Partition), 10)
	b = append(append(b, '/'), s.TopicID.String()...)
	return string(append(b, '/'))
}

// ParseSource reads the prefix at the beginning of a table key, and gives the
// rest, which is for ParseKey.
func ParseSource(key string) (s audit.Source, rest string, err error) {
	f := strings.SplitN(key, "/", 4)
	if len(f) < 4 {
		return audit.Source{}, "", fmt.Errorf("table key %q: want cluster:topic/partition/topicid/...", key)
	}
	var ok bool
	if s.Cluster, s.Topic, ok = strings.Cut(f[0], ":"); !ok || s.Cluster == "" || s.Topic == "" {
		return audit.Source{}, "", fmt.Errorf("table key %q: want cluster:topic before the first slash", key)
	}
	p, err := strconv.ParseInt(f[1], 10, 32)
	if err != nil {
		return audit.Source{}, "", fmt.Errorf("table key %q: partition: %w", key, err)
	}
	s.Partition = int32(p)
	if s.TopicID, err = audit.ParseTopicID(f[2]); err != nil {
		return audit.Source{}, "", fmt.Errorf("table key %q: %w", key, err)
	}
	if p < 0 || !strings.HasPrefix(key, SourcePrefix(s)) {
		return audit.Source{}, "", fmt.Errorf("table key %q: not in the form in which keys are written", key)
	}
	return s, f[3], nil
}
