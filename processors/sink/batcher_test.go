package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/internal/aside"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// store is a scripted sinks.Sink: each attempt to write asks script what happens.
type store struct {
	script func(attempt int, batch []*audit.Record) (take bool, err error)

	mu       sync.Mutex
	attempts int
	has      map[int64]int // versions taken, and how often
	sizes    []int
}

func (s *store) Write(ctx context.Context, batch []*audit.Record) error {
	s.mu.Lock()
	n := s.attempts
	s.attempts++
	s.mu.Unlock()
	take, err := true, error(nil)
	if s.script != nil {
		take, err = s.script(n, batch)
	}
	if err == errHang {
		<-ctx.Done()
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if take {
		s.sizes = append(s.sizes, len(batch))
		for _, r := range batch {
			s.has[r.Version]++
		}
	}
	return err
}

var errHang = errors.New("hang")

// WriteVerdicts has the script decide, too.
func (s *store) WriteVerdicts(ctx context.Context, batch []*compare.Verdict) error {
	records := make([]*audit.Record, len(batch))
	for i, v := range batch {
		records[i] = numbered(v.Version)
	}
	return s.Write(ctx, records)
}

func (s *store) Verdicts(context.Context, query.Verdicts) ([]*compare.Verdict, error) {
	return nil, nil
}

func (s *store) WriteAlerts(context.Context, []*query.Alert) error            { return nil }
func (s *store) Alerts(context.Context, query.Alerts) ([]*query.Alert, error) { return nil, nil }
func (s *store) Windows(context.Context, query.Windows) ([]query.Row, error)  { return nil, nil }
func (s *store) Topics(context.Context, int64, int64) ([]query.Topic, error)  { return nil, nil }
func (s *store) Records(context.Context, string, int64, int64) ([]*audit.Record, error) {
	return nil, nil
}
func (s *store) Close() error { return nil }

func (s *store) taken(version int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.has[version]
}

type recordItem = item[*audit.Record]

// rig is a batcher over a scripted store.
type rig struct {
	*batcher[*audit.Record]
	store  *store
	aside  *aside.List
	health *health.Registry
	stop   context.CancelFunc
	done   chan struct{}
}

func newRig(t *testing.T, o Options, script func(int, []*audit.Record) (bool, error)) *rig {
	t.Helper()
	s := &store{script: script, has: map[int64]int{}}
	o.Store, o.Log, o.RetryAfter, o.RetryAtMost = s, slog.New(slog.DiscardHandler), time.Millisecond, 4*time.Millisecond
	if o.BatchAge == 0 {
		o.BatchAge = time.Millisecond
	}
	o.fill()
	r := &rig{store: s, health: &health.Registry{}, done: make(chan struct{})}
	r.aside = aside.New(o.Log, r.health.Part("sink records"))
	r.batcher = newBatcher(&o, records(&o), r.aside, newMetrics(prometheus.NewRegistry(), "sink", "audit topic"), r.health.Part("sink store"))
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() { defer close(r.done); r.run(ctx) }()
	t.Cleanup(func() { cancel(); <-r.done; r.aside.Close() })
	return r
}

func numbered(n int64) *audit.Record { return &audit.Record{Kind: audit.KindHello, Version: n} }

func (r *rig) feed(t *testing.T, pos *position, from, to int64) {
	t.Helper()
	for n := from; n < to; n++ {
		select {
		case r.in <- recordItem{row: numbered(n), topic: "audit", offset: n, size: 10, from: pos}:
		case <-time.After(20 * time.Second):
			t.Fatalf("record %d is not taken", n)
		}
	}
}

// settled waits until a position has come up to next.
func settled(t *testing.T, pos *position, next int64) {
	t.Helper()
	for pos.settled() < next {
		select {
		case <-pos.changed:
		case <-time.After(20 * time.Second):
			t.Fatalf("settled up to %d, want %d", pos.settled(), next)
		}
	}
	if got := pos.settled(); got != next {
		t.Fatalf("settled up to %d, want %d", got, next)
	}
}

func (r *rig) all(t *testing.T, from, to int64) {
	t.Helper()
	for n := from; n < to; n++ {
		if r.store.taken(n) == 0 {
			t.Errorf("record %d is not in the store", n)
		}
	}
}

func (r *rig) state(part string) health.Report {
	list, _ := r.health.Reports()
	for _, p := range list {
		if p.Part == part {
			return p
		}
	}
	return health.Report{}
}

func TestEverythingIsWrittenThenSettled(t *testing.T) {
	r := newRig(t, Options{}, nil)
	a, b := newPosition(), newPosition()
	r.feed(t, a, 0, 50)
	r.feed(t, b, 100, 150)
	settled(t, a, 50)
	settled(t, b, 150)
	r.all(t, 0, 50)
	r.all(t, 100, 150)
}

func TestBatchesKeepToTheirBounds(t *testing.T) {
	for name, o := range map[string]Options{
		"records": {BatchRecords: 7, BatchAge: time.Hour},
		"bytes":   {BatchBytes: 65, BatchAge: time.Hour}, // of 10 bytes each
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, o, nil)
			pos := newPosition()
			r.feed(t, pos, 0, 70)
			settled(t, pos, 70)
			for _, n := range r.store.sizes {
				if n != 7 {
					t.Errorf("a batch of %d records, want 7", n)
				}
			}
		})
	}
}

func TestAnAwayStoreIsWaitedFor(t *testing.T) {
	back := make(chan struct{})
	away := fmt.Errorf("dial: refused")
	r := newRig(t, Options{BatchRecords: 10, BatchAge: time.Hour}, func(int, []*audit.Record) (bool, error) {
		select {
		case <-back:
			return true, nil
		default:
			return false, away
		}
	})
	pos := newPosition()
	r.feed(t, pos, 0, 10)  // being written
	r.feed(t, pos, 10, 20) // waits
	select {
	case r.in <- recordItem{row: numbered(20), offset: 20, from: pos}:
		t.Error("a third batch is taken while the store is away: memory is not bounded")
	case <-time.After(50 * time.Millisecond):
	}
	for r.state("sink store").State != health.Down {
		time.Sleep(time.Millisecond)
	}
	if pos.settled() >= 0 {
		t.Errorf("settled up to %d with nothing in the store", pos.settled())
	}
	close(back)
	settled(t, pos, 20)
	r.all(t, 0, 20)
	if got := r.state("sink store"); got.State != health.OK {
		t.Errorf("afterwards the store is %s: %s", got.State, got.Reason)
	}
}

func TestALostAcknowledgementIsWrittenAgain(t *testing.T) {
	r := newRig(t, Options{}, func(attempt int, _ []*audit.Record) (bool, error) {
		if attempt%2 == 0 {
			return true, errors.New("connection reset") // but it was stored
		}
		return true, nil
	})
	pos := newPosition()
	r.feed(t, pos, 0, 30)
	settled(t, pos, 30)
	r.all(t, 0, 30)
	if n := r.store.taken(0); n < 2 {
		t.Errorf("the first record was written %d times, want twice", n)
	}
}

func TestASlowStoreIsCutOffAndTriedAgain(t *testing.T) {
	r := newRig(t, Options{WriteTimeout: 5 * time.Millisecond}, func(attempt int, _ []*audit.Record) (bool, error) {
		if attempt == 0 {
			return false, errHang
		}
		return true, nil
	})
	pos := newPosition()
	r.feed(t, pos, 0, 5)
	settled(t, pos, 5)
	r.all(t, 0, 5)
}

func TestPoisonIsSetAsideAlone(t *testing.T) {
	poison := []int64{0, 13, 14, 63}
	away := 3
	r := newRig(t, Options{BatchRecords: 64, BatchAge: time.Hour}, func(attempt int, batch []*audit.Record) (bool, error) {
		if attempt%5 == 4 && away > 0 { // and it stumbles while it is being found
			away--
			return false, errors.New("too many connections")
		}
		for _, rec := range batch {
			if slices.Contains(poison, rec.Version) {
				return false, fmt.Errorf("column x: %w", sinks.ErrRejected)
			}
		}
		return true, nil
	})
	pos := newPosition()
	r.feed(t, pos, 0, 64)
	settled(t, pos, 64)
	for n := range int64(64) {
		if want := !slices.Contains(poison, n); want != (r.store.taken(n) > 0) {
			t.Errorf("record %d in the store: %t, want %t", n, !want, want)
		}
	}
	items, total := r.aside.Items()
	if total != uint64(len(poison)) || len(items) != len(poison) {
		t.Fatalf("set aside: %+v", items)
	}
	for i, it := range items {
		if it.Offset != poison[i] || it.Topic != "audit" || it.Reason == "" {
			t.Errorf("set aside %+v, want offset %d", it, poison[i])
		}
	}
	if got := r.state("sink records"); got.State != health.Degraded {
		t.Errorf("health of records is %s: %s", got.State, got.Reason)
	}
	if got := r.state("sink store"); got.State != health.OK {
		t.Errorf("health of the store is %s: %s", got.State, got.Reason)
	}
}

func TestWhatCannotBeReadSettlesInOrder(t *testing.T) {
	hold := make(chan struct{})
	r := newRig(t, Options{BatchRecords: 3, BatchAge: time.Hour}, func(int, []*audit.Record) (bool, error) { <-hold; return true, nil })
	pos := newPosition()
	r.feed(t, pos, 0, 2)
	r.in <- recordItem{offset: 2, from: pos, end: setAside} // nothing to write, but it must not overtake
	if pos.settled() >= 0 {
		t.Errorf("settled up to %d before anything was written", pos.settled())
	}
	close(hold)
	settled(t, pos, 3)
}

func TestTheEndDoesNotWaitForTheStore(t *testing.T) {
	began := make(chan struct{})
	r := newRig(t, Options{}, func(attempt int, _ []*audit.Record) (bool, error) {
		if attempt == 0 {
			close(began)
		}
		return false, errHang
	})
	pos := newPosition()
	r.feed(t, pos, 0, 1)
	<-began
	r.stop()
	select {
	case <-r.done:
	case <-time.After(20 * time.Second):
		t.Fatal("the batcher does not end while the store hangs")
	}
	if pos.settled() >= 0 {
		t.Errorf("settled up to %d with nothing in the store", pos.settled())
	}
}

func TestHurryDoesNotWaitForTheAge(t *testing.T) {
	r := newRig(t, Options{BatchAge: time.Hour}, nil)
	pos := newPosition()
	r.feed(t, pos, 0, 3)
	r.hurry()
	settled(t, pos, 3)
}
