package torture

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// A message is what is remembered of one: all that a count of it can show.
type message struct {
	offset int64
	window int64 // start, Unix seconds
	time   int64 // record timestamp, Unix milliseconds
	audit.Event
}

// truth remembers every message of every source. Safe for concurrent use.
type truth struct {
	windowSize int64 // seconds

	mu       sync.Mutex
	sources  map[audit.Source]map[int64]message // by offset
	conflict []string                           // two messages at one offset
}

func newTruth(windowSize int64) *truth {
	return &truth{windowSize: windowSize, sources: map[audit.Source]map[int64]message{}}
}

// add notes a message that Kafka has acknowledged, or that has been found in the log.
func (t *truth) add(src audit.Source, m message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	log := t.sources[src]
	if log == nil {
		log = map[int64]message{}
		t.sources[src] = log
	}
	if old, ok := log[m.offset]; ok && old.Hash != m.Hash {
		t.conflict = append(t.conflict, fmt.Sprintf("%s offset %d", src, m.offset))
	}
	log[m.offset] = m
}

// cut forgets what is remembered of a source from an offset on, for its log was
// cut there, and gives the log as it was.
func (t *truth) cut(src audit.Source, from int64) (before []message) {
	before = t.log(src)
	t.mu.Lock()
	defer t.mu.Unlock()
	for o := range t.sources[src] {
		if o >= from {
			delete(t.sources[src], o)
		}
	}
	return before
}

// log is a copy of what is remembered of a source, in order.
func (t *truth) log(src audit.Source) []message {
	t.mu.Lock()
	defer t.mu.Unlock()
	log := make([]message, 0, len(t.sources[src]))
	for _, m := range t.sources[src] {
		log = append(log, m)
	}
	slices.SortFunc(log, func(a, b message) int { return cmp.Compare(a.offset, b.offset) })
	return log
}

// list gives the sources that have messages, in order.
func (t *truth) list() []audit.Source {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []audit.Source
	for s := range t.sources {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b audit.Source) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.TopicID.String(), b.TopicID.String()), cmp.Compare(a.Partition, b.Partition))
	})
	return list
}

func (t *truth) messages() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, log := range t.sources {
		n += len(log)
	}
	return n
}

// headerTruth carries the event time and class of a message, so that it is
// understood without a decoder when the log is read again.
const headerTruth = "torture"

// of is what a record counts as. declared says that its topic has a codec.
func (t *truth) of(r *kgo.Record, declared bool) (message, error) {
	var event int64
	var class audit.Class
	for _, h := range r.Headers {
		if h.Key == headerTruth {
			if _, err := fmt.Sscanf(string(h.Value), "%d %d", &event, &class); err != nil {
				return message{}, fmt.Errorf("%s/%d offset %d: header %q: %w", r.Topic, r.Partition, r.Offset, h.Value, err)
			}
			return t.message(r, event, class, declared), nil
		}
	}
	return message{}, fmt.Errorf("%s/%d offset %d: somebody else's message", r.Topic, r.Partition, r.Offset)
}

func (t *truth) message(r *kgo.Record, event int64, class audit.Class, declared bool) message {
	m := message{offset: r.Offset, time: r.Timestamp.UnixMilli()}
	if class == audit.Malformed && !declared {
		class = audit.NoTime
	}
	if class != audit.Timed {
		event = m.time
	}
	m.window = audit.WindowAt(event, t.windowSize).Start
	hash, key := audit.Hashes(r.Key, r.Value)
	m.Event = audit.Event{Bytes: len(r.Key) + len(r.Value), Hash: hash, Moment: key.Moment(0), Class: class, Latency: m.time - event}
	if class == audit.Timed {
		m.Moment = key.Moment(event)
	}
	return m
}
