package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// batch is how many records go to the Reporter at a time.
	batch = 500
	// reportWithin bounds a call of the Reporter, unless reports are further apart.
	reportWithin = 30 * time.Second
	// ended is how long after its end a window is reported: those who count it just
	// then are through.
	ended = 100 * time.Millisecond
	// rested is how long after their end, and after the last message, windows leave the
	// memory.
	rested = time.Hour
	// quietRounds is how many rounds go by without a statement about a topic in which
	// nothing happens.
	quietRounds = 6
	// settling is how long after the end of a window in which there were messages each
	// round has a statement: the judge waits for two of them that come after its grace.
	settling = 3 * time.Minute
)

// run reports every so often, and when a window ends.
func (r *Recorder) run() {
	defer close(r.done)
	begin := time.Now()
	last := begin
	for {
		t := time.NewTimer(r.next(begin, time.Now()))
		select {
		case <-r.quit:
			t.Stop()
			return
		case <-t.C:
		}
		now := time.Now() // before it is collected: what passes meanwhile is not claimed
		n := r.collect(now)
		if d := now.Sub(last); d > 0 {
			r.clock.adapt(float64(n) / d.Seconds())
		}
		last = now
		ctx, cancel := context.WithCancel(context.Background())
		stop := r.untilClose(cancel)
		_ = r.round(ctx, now) // said by OnError; the next round says it all again
		stop()
		cancel()
	}
}

// untilClose ends a report that is under way when the Recorder is closed: the time for
// the last one is that of who closes.
func (r *Recorder) untilClose(cancel func()) (stop func()) {
	over := make(chan struct{})
	go func() {
		select {
		case <-r.quit:
			cancel()
		case <-over:
		}
	}()
	return func() { close(over) }
}

// next is how long it is to the next round.
func (r *Recorder) next(begin, now time.Time) time.Duration {
	every := r.o.Every - now.Sub(begin)%r.o.Every
	window := r.o.Window - time.Duration(now.UnixNano()-ended.Nanoseconds())%r.o.Window
	return min(every, window)
}

// collect moves what has been counted into the books.
func (r *Recorder) collect(now time.Time) (n uint64) {
	for _, t := range r.all() {
		n += t.collect(now.Unix())
	}
	return n
}

// round reports what is in the books and not acknowledged yet, as of a moment at which
// it was collected: first what has been counted, then, of topics of which all of that
// has arrived, how far.
func (r *Recorder) round(ctx context.Context, collected time.Time) error {
	r.seq++
	all := r.all()
	var out outbox
	for _, t := range all {
		if !t.said {
			out.add(t, nil, r.greeting(t, KindHello))
		}
		for _, e := range t.book.due(r.seq) {
			out.add(t, e, r.window(t, e))
		}
	}
	err := out.send(ctx, r, func(t *Topic, list []*entry) {
		t.said = true
		if len(list) > 0 {
			t.book.acknowledged(list)
			t.quiet = quietRounds // say how far
		}
	})
	r.dropTooMany(all)
	out = outbox{}
	pending := 0
	for _, t := range all {
		n := t.book.pending()
		pending += n
		quiet := quietRounds
		if collected.Before(time.Unix(t.book.newest, 0).Add(r.o.Window + settling)) {
			quiet = 1
		}
		if t.quiet++; n == 0 && t.said && t.quiet >= quiet {
			out.add(t, nil, r.howFar(t, collected))
		}
		t.book.rest(collected.Add(-rested).Unix(), int64(r.o.Window.Seconds()))
	}
	r.stats.pending.Store(int64(pending))
	if err == nil {
		err = out.send(ctx, r, func(t *Topic, _ []*entry) { t.acked, t.quiet = t.progress, 0 })
	}
	if err != nil && ctx.Err() == nil && r.o.OnError != nil {
		r.o.OnError(fmt.Errorf("audit: report the counts of %d windows: %w", pending, err))
	}
	return err
}

// dropTooMany forgets windows that wait for too long, of the topics that have most.
func (r *Recorder) dropTooMany(all []*Topic) {
	waiting := 0
	for _, t := range all {
		waiting += len(t.book.waiting)
	}
	for waiting > r.o.Pending {
		most := slices.MaxFunc(all, func(a, b *Topic) int { return cmp.Compare(len(a.book.waiting), len(b.book.waiting)) })
		n := min(waiting-r.o.Pending, max(1, len(most.book.waiting)/2))
		r.stats.lost.Add(most.book.drop(n))
		waiting -= n
	}
}

// outbox are records on their way, and what they are about.
type outbox struct {
	records []*Record
	about   []subject
}

type subject struct {
	topic *Topic
	entry *entry // nil for what is no window
}

func (o *outbox) add(t *Topic, e *entry, r *Record) {
	o.records, o.about = append(o.records, r), append(o.about, subject{t, e})
}

// send reports the records, some at a time, and tells what has arrived. It ends at the
// first failure: the Reporter is down, and the next round says everything again.
func (o *outbox) send(ctx context.Context, r *Recorder, arrived func(t *Topic, list []*entry)) error {
	most := batch
	for len(o.records) > 0 {
		n := min(most, len(o.records))
		if err := r.report(ctx, o.records[:n]); err != nil {
			if errors.Is(err, ErrTooMany) && n > 1 {
				most = n / 2
				continue
			}
			return err
		}
		entries := map[*Topic][]*entry{}
		for _, s := range o.about[:n] {
			list := entries[s.topic]
			if s.entry != nil {
				list = append(list, s.entry)
			}
			entries[s.topic] = list
		}
		for t, list := range entries {
			arrived(t, list)
		}
		o.records, o.about = o.records[n:], o.about[n:]
	}
	return nil
}

func (r *Recorder) report(ctx context.Context, records []*Record) error {
	ctx, cancel := context.WithTimeout(ctx, max(reportWithin, r.o.Every))
	defer cancel()
	r.stats.reports.Add(1)
	err := r.o.Reporter.Report(ctx, records)
	if err != nil {
		r.stats.failures.Add(1)
		return err
	}
	r.stats.records.Add(uint64(len(records)))
	return nil
}

// finish reports everything, and says goodbye to each topic, unless something is in no
// record.
func (r *Recorder) finish(ctx context.Context) error {
	reported := false
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		var err error
		if !reported {
			now := time.Now()
			r.collect(now)
			err = r.round(ctx, now)
		}
		if err == nil {
			if n := r.uncounted(); n > 0 {
				return fmt.Errorf("audit: everything is reported, but up to %d messages are in no record: they came too late, had too many event times at once, or waited too long; there is no goodbye", n)
			}
			reported = true
			if err = r.goodbye(ctx); err == nil {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			if reported {
				return fmt.Errorf("audit: everything is reported, but not that this was the end: %w", err)
			}
			return r.left(err)
		case <-time.After(pause):
		}
	}
}

func (r *Recorder) goodbye(ctx context.Context) error {
	var out outbox
	for _, t := range r.all() {
		out.add(t, nil, r.greeting(t, KindGoodbye))
	}
	return out.send(ctx, r, func(*Topic, []*entry) {})
}

// left says what is not reported.
func (r *Recorder) left(cause error) error {
	windows, messages := 0, uint64(0)
	var topics []string
	for _, t := range r.all() {
		n := 0
		for _, e := range t.book.due(r.seq) {
			n++
			messages += e.Count
		}
		if n > 0 {
			topics = append(topics, t.name)
		}
		windows += n
	}
	const most = 5
	names := strings.Join(topics[:min(most, len(topics))], ", ")
	if len(topics) > most {
		names += fmt.Sprintf(" and %d more", len(topics)-most)
	}
	return fmt.Errorf("audit: %d windows with %d messages are not reported, of topics %s: what is said of them is unknown, never complete: %w", windows, messages, names, cause)
}
