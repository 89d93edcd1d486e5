package torture

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
)

// A cell is what is compared: one window of one partition, over all
// incarnations of its topic.
type cell struct {
	cluster, topic string
	partition      int32
	window         int64 // start, Unix seconds
}

func (c cell) String() string {
	return fmt.Sprintf("%s:%s/%d %s", c.cluster, c.topic, c.partition, audit.Window{Start: c.window}.From().Format("15:04:05"))
}

// A count is what somebody says about a cell.
type count struct {
	audit.Tally
	First, Last int64
}

func newCount() *count { return &count{First: -1, Last: -1} }

func (c *count) add(m *message) {
	c.Tally.Add(&m.Event)
	c.span(m.offset, m.offset)
}

func (c *count) merge(o *audit.Tally, first, last int64) {
	c.Tally.Merge(o)
	c.span(first, last)
}

func (c *count) span(first, last int64) {
	if first >= 0 && (c.First < 0 || first < c.First) {
		c.First = first
	}
	c.Last = max(c.Last, last)
}

func (c *count) equal(o *count) bool {
	return c.First == o.First && c.Last == o.Last && c.Tally.Equal(&o.Tally)
}

func (c *count) String() string {
	if c == nil {
		return "nothing"
	}
	return fmt.Sprintf("%d messages, %d bytes, %d without time, %d malformed, %d out of bounds, offsets %d to %d, fingerprint %016x",
		c.Count, c.Bytes, c.NoTime, c.Malformed, c.OutOfBounds, c.First, c.Last, c.Fingerprint)
}

// A span is a range of offsets [from, to).
type span struct{ from, to int64 }

func within(spans []span, o int64) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.from <= o && o < s.to })
}

// cellOf is where a message of a source belongs.
func cellOf(src audit.Source, window int64) cell {
	return cell{src.Cluster, src.Topic, src.Partition, window}
}

// A statement is a window record as far as the law goes.
type statement struct {
	generation, start int64 // of the generation
	segment, window   int64
	version           int64
	owner             string
	first             int64
	partial           bool
	tally             *audit.Tally
}

// law checks statements about one source against its log: the content of each
// is what the log says from the start of its generation up to its version, in
// its window and segment. If the log was cut there are several, and a generation
// has counted one of them. It gives what is wrong; windows is how many windows a
// segment holds.
func law(src audit.Source, logs [][]message, statements []statement, windows int) (wrong []string) {
	type beginning struct{ generation, start int64 }
	by := map[beginning][]*statement{}
	for i := range statements {
		s := &statements[i]
		b := beginning{s.generation, s.start}
		by[b] = append(by[b], s)
	}
	for _, said := range by {
		var least []string
		for i, log := range logs {
			if bad := unlawful(src, log, said, windows); i == 0 || len(bad) < len(least) {
				least = bad
			}
		}
		wrong = append(wrong, least...)
	}
	slices.Sort(wrong)
	return wrong
}

// unlawful checks what is said of one generation against one log.
func unlawful(src audit.Source, log []message, said []*statement, windows int) (wrong []string) {
	type place struct{ segment, window, version int64 }
	open := map[place][]*statement{}
	for _, s := range said {
		p := place{s.segment, s.window, s.version}
		open[p] = append(open[p], s)
	}
	generation, start := said[0].generation, said[0].start
	walk(log, start, windows, func(segment int64, m *message, r *row) {
		p := place{segment, m.window, m.offset}
		for _, s := range open[p] {
			if s.first != r.First || s.partial != r.partial || !s.tally.Equal(&r.Tally) {
				wrong = append(wrong, fmt.Sprintf("%s generation %d segment %d window %d version %d by %s: it has first %d, partial %t, %d messages, %d bytes; the log says first %d, partial %t, %d messages, %d bytes",
					src, generation, segment, m.window, m.offset, s.owner, s.first, s.partial, s.tally.Count, s.tally.Bytes, r.First, r.partial, r.Count, r.Bytes))
			}
		}
		delete(open, p)
	})
	for p, list := range open {
		wrong = append(wrong, fmt.Sprintf("%s generation %d from %d, segment %d window %d version %d by %s, %d messages: by the log there can be no such record",
			src, generation, start, p.segment, p.window, p.version, list[0].owner, list[0].tally.Count))
	}
	return wrong
}

// A row is the state of a window in a segment, while the log is walked.
type row struct {
	count
	partial bool
}

// walk counts a log from an offset on the plain way, and shows each message with
// the row that has just taken it.
func walk(log []message, start int64, windows int, each func(segment int64, m *message, r *row)) {
	rows := map[int64]*row{}
	var segment, first int64
	begun := false
	for i := range log {
		m := &log[i]
		if m.offset < start {
			continue
		}
		if !begun {
			begun, first = true, m.time
		}
		if rows[m.window] == nil {
			if len(rows) == windows {
				segment++
				clear(rows)
			}
			rows[m.window] = &row{count: *newCount(), partial: start > 0 && m.window*1000 <= first}
		}
		r := rows[m.window]
		r.add(m)
		each(segment, m, r)
	}
}

func compareCells(a, b cell) int {
	return cmp.Or(strings.Compare(a.cluster, b.cluster), strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition), cmp.Compare(a.window, b.window))
}
