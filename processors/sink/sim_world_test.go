package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// world is the audit topic, the group's coordinator, and the store.
type world struct {
	mistake
	batch int // records

	mu sync.Mutex // of all that follows: feeds commit and batchers write at the same time
	*rand.Rand
	logs      [3]*auditLog
	instances []*instance
	feeds     []*fed
	mood      int            // of the store
	bad       map[int64]bool // records that the store rejects
	taken     map[int64]bool
	aside     map[int64]bool
	err       error
	stats     map[string]int
}

// moods of the store.
const (
	well      = 0
	stumbling = 1
	away      = 4
)

// auditLog is a partition of the audit topic, and what the coordinator knows of it.
type auditLog struct {
	number    int32
	log       []logged
	committed int64
	owner     *fed
}

type logged struct {
	id    int64 // in the record's Version; unique
	sound bool
	value []byte
}

// instance is a program with a batcher.
type instance struct {
	w     *world
	p     *Processor[*audit.Record]
	kill  context.CancelFunc
	ended sync.WaitGroup
	read  map[int64]int // by id, how often
	acked map[int64]int
	held  int // records that its feeds may ever have left: each the one in hand, and those that waited in its claim
}

// fed is a claim of a session.
type fed struct {
	i        *instance
	l        *auditLog
	at       int64
	messages chan *sarama.ConsumerMessage
	draining chan struct{}
	end      context.CancelFunc
	done     chan struct{}
}

func (w *world) setMood(mood int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mood = mood
}

func (w *world) produce(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ; n > 0; n-- {
		l := w.logs[w.IntN(len(w.logs))]
		w.stats["records"]++
		m := logged{id: int64(w.stats["records"]), sound: true}
		m.value = (&audit.Record{
			Kind: audit.KindHello, Version: m.id, Identity: audit.Identity{Topic: "orders", Tier: "t", Instance: "i", Partition: audit.NoPartition},
		}).AppendJSON(nil)
		if w.IntN(30) == 0 {
			m.sound, m.value = false, [][]byte{nil, []byte("no record")}[w.IntN(2)]
		}
		if w.IntN(15) == 0 {
			m.sound, w.bad[m.id] = false, true
		}
		l.log = append(l.log, m)
	}
}

func (w *world) anyone() *instance { return w.instances[w.draw(len(w.instances))] }

// start is a new instance.
func (w *world) start() {
	ctx, kill := context.WithCancel(context.Background())
	i := &instance{w: w, kill: kill, read: map[int64]int{}, acked: map[int64]int{}}
	i.p = New(Options{
		Topology: processors.DefaultTopology(), Log: slog.New(slog.DiscardHandler), Health: &health.Registry{}, Metrics: prometheus.NewRegistry(),
		Store: &simStore{i}, BatchRecords: w.batch,
	})
	i.ended.Go(func() { i.p.batcher.run(ctx) })
	w.instances = append(w.instances, i)
}

// kill ends an instance wherever it is. Others take over when they are told.
func (w *world) kill(i *instance) {
	w.stats["instances ended"]++
	if w.draw(2) == 0 { // the batcher may be gone first
		i.kill()
		synctest.Wait()
	}
	for _, f := range slices.Clone(w.feeds) {
		if f.i == i {
			w.end(f)
		}
	}
	i.kill()
	i.ended.Wait()
	i.p.aside.Close()
	w.instances = slices.DeleteFunc(w.instances, func(o *instance) bool { return o == i })
	if len(w.instances) == 0 {
		w.start()
	}
}

// drain stops an instance in order, if it can be done in time.
func (w *world) drain(i *instance) {
	for _, f := range w.feeds {
		if f.i == i {
			for f.offer(f.at) { // some wait in the claim when it happens
			}
			close(f.draining)
		}
	}
	for range 10 {
		time.Sleep(time.Second)
	}
	synctest.Wait()
	for _, f := range w.feeds {
		select {
		case <-f.done:
			if f.i == i && f.l.owner == f && f.l.committed < f.at-1-int64(cap(f.messages)) { // the last ones may not have been submitted
				w.fail("partition %d: drained, and committed up to %d of %d", f.l.number, f.l.committed, f.at)
			}
		default:
		}
	}
	w.kill(i)
}

// rebalance deals the partitions to new sessions. Of the former ones some end,
// and others were paused and do not know.
func (w *world) rebalance() {
	w.stats["rebalances"]++
	if n := len(w.instances); n == 0 || n < 3 && w.draw(3) == 0 {
		w.start()
	}
	for _, f := range slices.Clone(w.feeds) {
		if f.l.owner == f && w.draw(3) > 0 {
			w.end(f)
		}
	}
	for _, l := range w.logs {
		ctx, end := context.WithCancel(context.Background())
		f := &fed{i: w.anyone(), l: l, messages: make(chan *sarama.ConsumerMessage, w.draw(4)), draining: make(chan struct{}), done: make(chan struct{}), end: end}
		w.mu.Lock()
		f.at, l.owner = l.committed, f
		f.i.held += 1 + cap(f.messages)
		w.mu.Unlock()
		w.feeds = append(w.feeds, f)
		go func() {
			defer close(f.done)
			_ = f.i.p.feed(ctx, &claim{Partition: f.l.number, Messages: f.messages, Draining: f.draining, Commit: f.commit})
		}()
	}
}

// wake has a paused session notice that it has ended.
func (w *world) wake() {
	for _, f := range w.feeds {
		if f.l.owner != f {
			w.end(f)
			return
		}
	}
}

func (w *world) end(f *fed) {
	close(f.messages)
	f.end()
	<-f.done
	w.feeds = slices.DeleteFunc(w.feeds, func(o *fed) bool { return o == f })
}

// deliver gives a feed so many messages, as long as it takes them.
func (w *world) deliver(f *fed, n int) {
	for ; n > 0 && f.at < int64(len(f.l.log)); n-- {
		synctest.Wait()
		at := f.at
		if id := f.l.log[at].id; w.forget && id%50 == 0 {
			f.reads(id, 1)
		} else if !f.offer(at) {
			return
		} else if w.submitTwice && id%10 == 0 {
			synctest.Wait()
			if f.offer(at) {
				f.reads(id, -1)
			}
		}
	}
}

// offer hands a message over, if there is room for it.
func (f *fed) offer(at int64) bool {
	if at >= int64(len(f.l.log)) {
		return false
	}
	m := f.l.log[at]
	f.reads(m.id, 1)
	select {
	case f.messages <- &sarama.ConsumerMessage{Topic: "audit", Partition: f.l.number, Offset: at, Value: m.value}:
		return true
	default: // it waits for the store
		f.reads(m.id, -1)
		return false
	}
}

// reads notes that a message is read.
func (f *fed) reads(id int64, n int) {
	w := f.i.w
	w.mu.Lock()
	defer w.mu.Unlock()
	f.at += int64(n)
	f.i.read[id] += n
	w.stats["read"] += n
}

// simStore is the store as an instance sees it.
type simStore struct{ i *instance }

func (s *simStore) Write(ctx context.Context, batch []*audit.Record) error {
	w := s.i.w
	w.mu.Lock()
	trouble := well
	if w.mood != well && w.IntN(4) > 0 {
		trouble = w.mood + w.IntN(3)
	}
	wait := time.Duration(w.IntN(5000)) * time.Millisecond
	some := batch[:w.IntN(len(batch)+1)]
	w.mu.Unlock()
	switch trouble {
	case stumbling: // part of it, or all, is stored, and the answer is lost
		s.take(some)
		return s.failed(batch)
	case stumbling + 1:
		time.Sleep(wait)
	case stumbling + 2, away + 2: // it hangs, and takes it after all
		<-ctx.Done()
		s.take(some)
		return s.failed(batch)
	case away:
		return s.failed(batch)
	}
	if slices.ContainsFunc(batch, func(r *audit.Record) bool { return !w.sound(r.Version) }) {
		s.take(some)
		return fmt.Errorf("column x: %w", sinks.ErrRejected)
	}
	s.take(batch)
	s.acked(batch)
	return nil
}

var errStumbled = errors.New("connection reset")

func (s *simStore) failed(batch []*audit.Record) error {
	w := s.i.w
	w.mu.Lock()
	w.stats["writes failed"]++
	w.mu.Unlock()
	switch {
	case w.believeErrors:
		return nil
	case w.rejectSound && len(batch) == 1:
		return sinks.ErrRejected
	}
	return errStumbled
}

func (s *simStore) WriteVerdicts(context.Context, []*compare.Verdict) error { return nil }
func (s *simStore) Verdicts(context.Context, query.Verdicts) ([]*compare.Verdict, error) {
	return nil, nil
}
func (s *simStore) WriteAlerts(context.Context, []*query.Alert) error            { return nil }
func (s *simStore) Alerts(context.Context, query.Alerts) ([]*query.Alert, error) { return nil, nil }
func (s *simStore) Windows(context.Context, query.Windows) ([]query.Row, error)  { return nil, nil }
func (s *simStore) Records(context.Context, string, int64, int64) ([]*audit.Record, error) {
	return nil, nil
}
func (s *simStore) Topics(context.Context, int64, int64) ([]query.Topic, error) { return nil, nil }
func (s *simStore) Close() error                                                { return nil }
