package scenario

import (
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A place is where a tier is in a datacenter: a Kafka cluster that is counted.
type place struct {
	tier, dc string
	appends  bool // stamps messages with the time of their arrival
	topics   map[string]*topic
}

func (p *place) String() string { return placeName(p.tier, p.dc) }

func placeName(tier, dc string) string {
	if dc == "" {
		return tier
	}
	return tier + "/" + dc
}

// cluster is the name of its Kafka cluster.
func (p *place) cluster() string {
	if p.dc == "" {
		return p.tier
	}
	return p.tier + "." + p.dc
}

// A topic is one incarnation of a topic at a place.
type topic struct {
	name       string
	id         audit.TopicID
	partitions []*log
	order      []*entry // messages as they came, over all partitions
	open       []*transaction
	compacted  bool // and counting knows it
}

// A log is a partition.
type log struct {
	start, end int64
	entries    []*entry // offsets rise; what is missing between them are markers, and what was compacted
}

// An entry is a message in a log.
type entry struct {
	codecs.Message
	log    *log
	offset int64
	of     *transaction // nil if of none
	gone   bool         // from its log
}

// A transaction covers messages of one topic.
type transaction struct {
	ended, aborted bool
	first          map[*log]int64
}

// shown says whether a reader is given the message, now or ever.
func (e *entry) shown() bool { return !e.gone && (e.of == nil || e.of.ended && !e.of.aborted) }

// put appends a message to the partition that its key is for.
func (t *topic) put(partition int, m codecs.Message, of *transaction) {
	l := t.partitions[partition]
	e := &entry{Message: m, log: l, offset: l.end, of: of}
	if of != nil {
		if _, there := of.first[l]; !there {
			of.first[l] = l.end
		}
	}
	l.end++
	l.entries = append(l.entries, e)
	t.order = append(t.order, e)
}

// finish writes the marker of a transaction into each partition that it touched.
func (t *topic) finish(x *transaction, abort bool) {
	x.ended, x.aborted = true, abort
	for l := range x.first {
		l.end++
	}
	t.open = slices.DeleteFunc(t.open, func(o *transaction) bool { return o == x })
}

// stable is how far readers see.
func (t *topic) stable(l *log) int64 {
	stable := l.end
	for _, x := range t.open {
		if first, touched := x.first[l]; touched {
			stable = min(stable, first)
		}
	}
	return stable
}

// read gives up to n messages from an offset on, and the position after them.
func (t *topic) read(l *log, from int64, n int) (records []logs.Record, next int64) {
	stable := t.stable(l)
	next = from
	for _, e := range l.entries {
		if e.offset < from || e.offset >= stable || !e.shown() {
			continue
		}
		if len(records) == n {
			return records, next
		}
		records = append(records, logs.Record{Offset: e.offset, Message: e.Message})
		next = e.offset + 1
	}
	return records, max(next, stable)
}

// held are the messages that a reader from the beginning would see, as they came.
func (t *topic) held() (list []*entry) {
	for _, e := range t.order {
		if e.shown() {
			list = append(list, e)
		}
	}
	return list
}

// retain drops messages from the beginning.
func (t *topic) retain(drop []*entry) {
	for _, e := range drop {
		e.gone = true
		e.log.start = max(e.log.start, e.offset+1)
	}
	for _, l := range t.partitions {
		l.forget(func(e *entry) bool { return e.offset < l.start })
	}
}

// cut drops messages from the end, and whatever lies behind the first of them.
func (t *topic) cut(drop []*entry) {
	for _, e := range drop {
		e.log.end = min(e.log.end, e.offset)
	}
	for _, l := range t.partitions {
		l.forget(func(e *entry) bool { return e.offset >= l.end })
	}
}

// compact keeps the last message of each key.
func (t *topic) compact() {
	for _, l := range t.partitions {
		last := map[string]*entry{}
		for _, e := range l.entries {
			if e.shown() {
				last[string(e.Key)] = e
			}
		}
		l.forget(func(e *entry) bool { return e.shown() && last[string(e.Key)] != e })
	}
}

func (l *log) forget(gone func(*entry) bool) {
	for _, e := range l.entries {
		e.gone = e.gone || gone(e)
	}
	l.entries = slices.DeleteFunc(l.entries, func(e *entry) bool { return e.gone })
}
