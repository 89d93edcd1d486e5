package scenario

import (
	"errors"
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

// A stage of a round: what has been sent.
type stage int

const (
	idle     stage = iota
	rows           // rows and their records
	ledgers        // when all of those were acknowledged
	deletion       // when the coordinator had said that the session still owns the sources
)

type flushed struct {
	x   *source
	led counter.Ledger
}

// A write is to the table, or a record for the audit topic.
type write struct {
	key    string
	value  []byte // nil deletes
	record bool
}

// begin starts a round, if none is under way and there is something to flush.
func (s *session) begin() error {
	if s.stage != idle {
		return nil
	}
	s.taken = s.taken[:0]
	for _, x := range s.list {
		if x.c.Idle() {
			continue
		}
		var err error
		led := x.c.State()
		at := x.c.Flush(func(k counter.Key, r *counter.Row) {
			s.send(x.prefix+k.String(), r.Append(nil))
			err = errors.Join(err, s.sendRecord(x.subject.Row(k, r, &led)))
		})
		if err != nil {
			return err
		}
		s.taken = append(s.taken, flushed{x, at})
		s.stage = rows
	}
	if s.w.ledgersEarly && s.stage == rows {
		held := s.out
		s.out = nil
		if err := s.sendLedgers(); err != nil {
			return err
		}
		s.out = append(s.out, held...)
	}
	return nil
}

func (s *session) send(key string, value []byte) {
	s.out = append(s.out, write{key: key, value: value})
}

func (s *session) sendRecord(r *audit.Record) error {
	value, err := encode(r)
	s.out = append(s.out, write{key: r.Key(), value: value, record: true})
	return err
}

func (s *session) sendLedgers() error {
	for _, f := range s.taken {
		k := f.x.c.LedgerKey()
		s.send(f.x.prefix+k.String(), f.led.Append(nil))
		if f.led.Missed == nil || f.x.said == f.led.Generation {
			continue
		}
		if err := s.sendRecord(f.x.subject.Missed(s.owner, &f.led)); err != nil {
			return err
		}
	}
	return nil
}

// land lets the next n writes arrive that are to go where pass says.
func (s *session) land(n int, pass func(*write) bool) {
	s.out = slices.DeleteFunc(s.out, func(m write) bool {
		if n == 0 || !pass(&m) {
			return false
		}
		n--
		switch {
		case m.record:
			s.w.send(m.key, m.value)
		case m.value == nil:
			delete(s.w.table, m.key)
		default:
			s.w.table[m.key] = m.value
		}
		return true
	})
}

func anywhere(*write) bool  { return true }
func toTable(m *write) bool { return !m.record }
func toAudit(m *write) bool { return m.record }

// acknowledged goes on to the next stage, if everything sent has arrived.
func (s *session) acknowledged() error {
	if len(s.out) > 0 {
		return nil
	}
	switch s.stage {
	case rows:
		s.stage = ledgers
		return s.sendLedgers()
	case ledgers:
		s.stage = deletion
		for _, f := range s.taken {
			f.x.c.Acked(f.led)
			f.x.said = f.led.Generation
		}
		if s != s.w.current {
			return nil // not confirmed
		}
		for _, x := range s.list {
			if !x.c.Unsure() {
				continue
			}
			for _, k := range x.c.Confirmed() {
				s.send(x.prefix+k.String(), nil)
			}
		}
	case deletion:
		s.stage = idle
	}
	return nil
}

// until carries a round on up to a stage, all writes of which have arrived.
func (s *session) until(end stage) error {
	if err := s.begin(); err != nil {
		return err
	}
	for s.stage != idle {
		s.land(len(s.out), anywhere)
		if s.stage == end {
			return nil
		}
		if err := s.acknowledged(); err != nil {
			return err
		}
	}
	return s.sayRecreated()
}

// flush stores everything that was counted.
func (s *session) flush() error {
	for range 10 { // the first round of a generation writes no rows
		if err := s.until(idle); err != nil {
			return err
		}
		if s.idle() || s != s.w.current {
			return s.progress()
		}
	}
	return errors.New("a session does not come to an end of its flushes")
}

func (s *session) idle() bool {
	return s.stage == idle && !slices.ContainsFunc(s.list, func(x *source) bool { return !x.c.Idle() })
}

// settle counts and stores everything.
func (s *session) settle() error {
	for range 10 { // a source that is lost is flushed, begins anew, and is read
		if err := s.read(math.MaxInt, nil); err != nil {
			return err
		}
		if err := s.flush(); err != nil {
			return err
		}
		if !slices.ContainsFunc(s.list, func(x *source) bool { _, gone := s.gone[x.Source]; return x.lost != nil && !gone }) {
			return nil
		}
	}
	return errors.New("a source stays lost")
}
