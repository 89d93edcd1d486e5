package count

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

// An entry of the table as it was recovered. Rows are many and take several
// times their size when they are decoded, so that is left until their source is
// opened.
type entry struct {
	key   string // behind the prefix of the source
	value []byte
}

// load takes the entries that goka has recovered, and has the store let go of
// them: from now on the counters know what the table holds.
func (s *shard) load() error {
	if s.claim.Table == nil {
		return fmt.Errorf("shard %d: goka gave no table", s.claim.Partition)
	}
	s.table = map[audit.Source][]entry{}
	var src audit.Source
	prefix := "/" // of the source, whose keys follow each other; no key begins so
	for key, value := range s.claim.Table.All() {
		rest, same := strings.CutPrefix(key, prefix)
		if !same {
			var err error
			if src, rest, err = counter.ParseSource(key); err != nil {
				return fmt.Errorf("table of shard %d: %w", s.claim.Partition, err)
			}
			prefix = strings.TrimSuffix(key, rest)
		}
		if isGoneKey(rest) {
			s.note(src, key, value)
			continue
		}
		if err := counter.CheckFormat(value); err != nil {
			return fmt.Errorf("table of shard %d: %q: %w", s.claim.Partition, key, err)
		}
		s.table[src] = append(s.table[src], entry{rest, value})
	}
	s.claim.Table.Release()
	return nil
}

// take gives what was recovered of a source, for its counter. An entry
// that is damaged is there without content: whether it matters, the counter finds
// out.
func (s *shard) take(src audit.Source) (map[counter.Key]counter.Entry, error) {
	s.mu.Lock()
	list := s.table[src]
	s.mu.Unlock()
	table := make(map[counter.Key]counter.Entry, len(list))
	for _, e := range list {
		k, err := counter.ParseKey(e.key)
		if err != nil {
			return nil, fmt.Errorf("table of shard %d: %s: %w", s.claim.Partition, src, err)
		}
		if table[k], err = counter.Peek(e.value); err != nil {
			s.p.log.Error("an entry of the table cannot be read", "source", src, "key", e.key, "err", err)
		}
	}
	s.mu.Lock()
	delete(s.table, src)
	s.mu.Unlock()
	return table, nil
}

// newestLedger is the durable ledger of a source, open or only in the table. It
// says whether anything of the source was counted: there may be rows, and their
// records, of before the first ledger that counts them.
func (s *shard) newestLedger(src audit.Source) (best *counter.Ledger, counted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sources[src]; x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.c != nil {
			led := x.c.Durable()
			return &led, led.Total > 0 || x.c.Len() > 0
		}
	}
	if best, _ = newest(s.table[src]); best == nil {
		return nil, false
	}
	for _, e := range s.table[src] {
		if k, err := counter.ParseKey(e.key); err == nil && !k.Ledger {
			return best, true
		}
	}
	return best, best.Total > 0
}

// newest finds the ledger that would be gone on from if the log had everything, and
// its key; nil if there is none.
func newest(list []entry) (best *counter.Ledger, key string) {
	for _, e := range list {
		if k, err := counter.ParseKey(e.key); err != nil || !k.Ledger {
			continue
		}
		d, err := counter.Decode(e.value)
		if err != nil || d.Ledger == nil {
			continue
		}
		if l := d.Ledger; best == nil || l.Beats(best, 0) {
			best, key = l, e.key
		}
	}
	return best, key
}

// goneKey names, behind the prefix of a source, when it was first not listed.
// Each owner has a key of its own, as for everything; the earliest counts.
const goneKey = "gone/"

func isGoneKey(rest string) bool { return strings.HasPrefix(rest, goneKey) }

// note remembers what such a key says.
func (s *shard) note(src audit.Source, key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notes[src] == nil {
		s.notes[src] = map[string]time.Time{}
	}
	at := time.Time{} // never believed: see goneSince
	if ms, n := binary.Varint(value); n > 0 {
		at = time.UnixMilli(ms)
	}
	s.notes[src][key] = at
}

func (s *shard) goneSince(src audit.Source) (earliest time.Time, noted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.notes[src] {
		if !at.IsZero() && (!noted || at.Before(earliest)) {
			earliest, noted = at, true
		}
	}
	return earliest, noted
}
