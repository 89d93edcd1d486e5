package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Options of a Recorder. Tier and Reporter must be set.
type Options struct {
	Tier       string // the point of the pipeline that this program is, as the judge knows it
	Datacenter string // may be empty
	Reporter   Reporter

	// Window is the size of windows, the same at all tiers, overriding the default of
	// 10m. It divides a day.
	Window time.Duration
	// Every is how often is reported what has changed, overriding the default of 10s. A
	// process that is killed loses what it has counted since.
	Every time.Duration
	// Past and Future are how far an event time may lie from the clock and still be
	// believed, overriding the defaults of 168h and 1h; the message then counts in the
	// window of the clock, as out of bounds.
	Past, Future time.Duration
	// Fingerprint says how much is kept of which messages there were, so that five lost
	// and five doubled do not cancel out, overriding the default, PowerSumFingerprint.
	Fingerprint Fingerprint
	// EventTime reads the event time, in Unix milliseconds, out of a message that has no
	// header that says it; nil: it has the time at which it passes. It is called by
	// adapters, on the goroutine of whoever sends, and must always say the same.
	EventTime func(topic string, key, value []byte) (ms int64, ok bool)
	// EventTimeName names what EventTime does, such as json(fields=created), for records.
	EventTimeName string

	// Identify makes adapters add headers that name each message and number those of
	// this process: see IDHeader.
	Identify bool

	// Instance names the process, overriding host, pid and a random part. It must be
	// unique among all that ever count the tier: a name that comes again would go on with
	// the counts of another.
	Instance string
	Host     string // for people, overriding the name of the machine
	// Windows bounds how many windows of a topic are held, about half a kilobyte each,
	// overriding the default of 1,024: as many as windows of 10m that Past and Future allow.
	Windows int
	// Pending bounds how many windows of all topics that are no longer held may wait to be
	// reported, overriding the default of 10,000. Beyond it the oldest of the topic with
	// the most are dropped, and said to be.
	Pending int
	// Topics bounds how many topics there may be, overriding the default of 10,000; the
	// messages of others are uncounted.
	Topics int
	// OnError is told of each report that failed; it is tried again. Nil to say nothing.
	OnError func(error)
}

// A Fingerprint says how much a Recorder keeps of which messages there were.
type Fingerprint uint8

const (
	_ Fingerprint = iota // asks for the default
	// NoFingerprint keeps counts only, at half the cost.
	NoFingerprint
	// SumFingerprint keeps the sum of hashes: whether sets differ.
	SumFingerprint
	// PowerSumFingerprint keeps power sums too: which messages differ, if they are few.
	PowerSumFingerprint
)

// SumMode is FingerprintMode of a Tally that has the sum and not the power sums.
const SumMode = FingerprintMode + "-sum"

func (f Fingerprint) mode() string {
	return [...]string{NoFingerprint: "", SumFingerprint: SumMode, PowerSumFingerprint: FingerprintMode}[f]
}

func (o *Options) fill() error {
	var errs []error
	o.Window, o.Every = cmp.Or(o.Window, 10*time.Minute), cmp.Or(o.Every, 10*time.Second)
	o.Past, o.Future = cmp.Or(o.Past, 7*24*time.Hour), cmp.Or(o.Future, time.Hour)
	o.Fingerprint = cmp.Or(o.Fingerprint, PowerSumFingerprint)
	o.Windows, o.Pending, o.Topics = cmp.Or(o.Windows, 1024), cmp.Or(o.Pending, 10_000), cmp.Or(o.Topics, 10_000)
	if o.Host == "" {
		o.Host, _ = os.Hostname() // for people
	}
	if o.Instance == "" {
		o.Instance = fmt.Sprintf("%s-%d-%s", o.Host, os.Getpid(), uuid.NewString()[:8])
	}
	if o.Tier == "" {
		errs = append(errs, errors.New("tier: is empty; name the point of the pipeline that this program is"))
	}
	if o.Reporter == nil {
		errs = append(errs, errors.New("reporter: is nil; records need one to go anywhere"))
	}
	if err := CheckWindowSize(o.Window); err != nil {
		errs = append(errs, fmt.Errorf("window: %w", err))
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{{"every", o.Every}, {"past", o.Past}, {"future", o.Future}} {
		if d.d < time.Millisecond {
			errs = append(errs, fmt.Errorf("%s: %s must be at least 1ms", d.name, d.d))
		}
	}
	if o.Windows < 1 || o.Pending < 1 || o.Topics < 1 {
		errs = append(errs, errors.New("windows, pending, topics: must be at least 1"))
	}
	for _, f := range []struct{ name, s string }{{"tier", o.Tier}, {"datacenter", o.Datacenter}, {"instance", o.Instance}, {"host", o.Host}, {"event time name", o.EventTimeName}} {
		if !utf8.ValidString(f.s) {
			errs = append(errs, fmt.Errorf("%s: %q is not UTF-8", f.name, f.s))
		}
	}
	if o.Fingerprint > PowerSumFingerprint {
		errs = append(errs, fmt.Errorf("fingerprint: %d is none", o.Fingerprint))
	}
	return errors.Join(errs...)
}

// A Recorder counts messages as they pass a program, by topic and window, and reports
// the counts. Its methods, and those of its Topics, may be called from any goroutine.
// What counts never waits for I/O. Each process has one per tier, and closes it.
//
// Counts are cumulative, per process, window and segment, so reports may be lost,
// repeated and reordered: the next one says all of it. A report is made of what has
// changed, every so often and when a window ends, for quiet topics too; with each goes
// a statement of how far this process has counted, so that silence is known to be
// silence. What has not been reported when the process dies is lost: then there is no
// goodbye, and the window is unknown, never complete.
type Recorder struct {
	o      Options
	clock  clock
	stamps stamps
	began  time.Time
	bounds struct{ past, future int64 } // milliseconds

	mu     sync.RWMutex
	topics map[string]*Topic
	nobody *Topic // stands for topics that cannot be counted

	closed atomic.Bool
	quit   chan struct{} // closed when reporting is to end
	done   chan struct{} // closed when it has
	over   chan struct{} // closed when Close has come to its end, whose error is end
	end    error
	seq    int64 // of the last round; of whoever reports
	stats  stats
}

type stats struct {
	reports, failures, records atomic.Uint64
	lost, uncounted            atomic.Uint64
	pending                    atomic.Int64
}

// Stats say how a Recorder is.
type Stats struct {
	Reports, Failures uint64 // calls of the Reporter, and those of them that failed
	Records           uint64 // acknowledged
	Pending           int64  // windows of which something is not reported yet
	Lost              uint64 // messages of windows that waited too long and were dropped
	Uncounted         uint64 // messages that passed after Close, with too many event times at once, or of topics that cannot be
}

// NewRecorder makes a Recorder, which reports from now on. Don't forget to Close it.
func NewRecorder(o Options) (*Recorder, error) {
	if err := o.fill(); err != nil {
		return nil, fmt.Errorf("audit: recorder: %w", err)
	}
	r := &Recorder{o: o, began: time.Now(), topics: map[string]*Topic{}, quit: make(chan struct{}), done: make(chan struct{}), over: make(chan struct{})}
	r.nobody = &Topic{r: r, void: true}
	r.bounds.past, r.bounds.future = o.Past.Milliseconds(), o.Future.Milliseconds()
	go r.run()
	return r, nil
}

// Topic is what counts the messages of a topic. Keep it: to find it takes as long as
// to count.
func (r *Recorder) Topic(name string) *Topic {
	r.mu.RLock()
	t := r.topics[name]
	r.mu.RUnlock()
	if t != nil {
		return t
	}
	// A name that no record can have must not keep those of others from arriving.
	if name == "" || len(name) > maxTopicName || !utf8.ValidString(name) {
		return r.nobody
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t = r.topics[name]; t == nil {
		if len(r.topics) >= r.o.Topics {
			return r.nobody
		}
		t = newTopic(r, name)
		r.topics[name] = t
	}
	return t
}

// maxTopicName is the longest name of a topic in bytes. Kafka's own bound is 249.
const maxTopicName = 500

// Instance is the name of this process in records.
func (r *Recorder) Instance() string { return r.o.Instance }

// Stats are as of now.
func (r *Recorder) Stats() Stats {
	s := &r.stats
	return Stats{
		Reports: s.reports.Load(), Failures: s.failures.Load(), Records: s.records.Load(),
		Pending: s.pending.Load(), Lost: s.lost.Load(), Uncounted: s.uncounted.Load(),
	}
}

// Close counts no more, reports everything, says goodbye, and returns. If ctx ends
// before that, the error says what is not reported; then there is no goodbye for it.
// Nor is there if something could not be counted, which is an error too. Call it when
// all that counts has come to its end. A second call waits for the first.
func (r *Recorder) Close(ctx context.Context) error {
	if !r.closed.Swap(true) {
		close(r.quit)
		go func() {
			<-r.done // a report that is under way ends soon, or never: then nobody waits for it
			r.clock.stop()
			r.end = r.finish(ctx)
			close(r.over)
		}()
	}
	select {
	case <-r.over:
		return r.end
	case <-ctx.Done():
	}
	select {
	case <-r.over:
		return r.end
	case <-time.After(abandon):
		return fmt.Errorf("audit: a report does not end, and what is not reported is unknown: %w", context.Cause(ctx))
	}
}

// abandon is how long after the end of its context a report is waited for.
const abandon = 250 * time.Millisecond

// all lists the topics by name.
func (r *Recorder) all() []*Topic {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := make([]*Topic, 0, len(r.topics))
	for _, t := range r.topics {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *Topic) int { return cmp.Compare(a.name, b.name) })
	return list
}
