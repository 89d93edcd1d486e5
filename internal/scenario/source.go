package scenario

import (
	"errors"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/count"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A source is a partition that the session counts.
type source struct {
	audit.Source
	topic    *topic
	log      *log
	prefix   string
	subject  count.Subject
	c        *counter.Counter
	window   audit.Window
	position int64 // of the reader
	lost     error // why it is not read
	said     int64 // generation whose gap this session has stated
}

// read counts up to n messages of each source; of a place only, if there is one.
func (s *session) read(n int, only *place) error {
	if err := s.open(); err != nil {
		return err
	}
	for _, x := range s.list {
		if only != nil && only.cluster() != x.Cluster {
			continue
		}
		if _, gone := s.gone[x.Source]; gone {
			continue // what was counted of it is flushed all the same
		}
		if x.lost != nil {
			if err := s.reopen(x); err != nil {
				return err
			}
		}
		x.read(s.w, n)
	}
	return nil
}

func (x *source) read(w *world, n int) {
	if x.position < x.log.start || x.position > x.log.end {
		x.lost = &logs.OutOfRange{Offset: x.position}
	}
	if x.lost != nil {
		return
	}
	records, next := x.topic.read(x.log, x.position, n)
	var e counter.Event
	for i := range records {
		x.subject.Event(&records[i], audit.NoLatency, &x.window, &e) // always ready: stories use no registry
		w.spoil(&e, w)
		x.c.Add(&e)
	}
	x.c.Advance(next, -1)
	x.position = next
	x.lost = x.c.Broken()
}

// reopen decides how a source that was lost goes on, as processors/count does.
func (s *session) reopen(x *source) error {
	if s != s.w.current { // the coordinator would not confirm it
		return nil
	}
	next, start, reason := x.c.Next(), int64(0), audit.MissedReason("")
	switch end := x.log.end; {
	case errors.Is(x.lost, counter.ErrTruncated):
		start, reason = min(next, end), audit.MissedTruncated
	case next > end:
		start, reason = end, audit.MissedTruncated
	case next < x.log.start:
		start, reason = x.log.start, audit.MissedRetention
	}
	if reason != "" {
		if !x.c.Idle() {
			return nil // flush first
		}
		if err := x.c.Restart(start, reason); err != nil {
			return err
		}
	}
	x.lost, x.position = nil, x.c.ReadFrom(x.log.start)
	return nil
}
