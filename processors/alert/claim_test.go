package alert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/query"
)

// world is the table, what the judge has said, and a receiver.
type world struct {
	*testing.T
	mu       sync.Mutex
	rand     *rand.Rand
	table    map[string][]byte
	events   map[string][]byte
	verdicts []*compare.Verdict
	away     bool              // the receiver
	told     map[string]string // event and summary by ID
	repeats  int
	askErr   error
	health   health.Registry
	torn     bool // writes are lost, or are not acknowledged
}

func newWorld(t *testing.T, seed uint64) *world {
	return &world{T: t, rand: rand.New(rand.NewPCG(seed, 1)), table: map[string][]byte{}, events: map[string][]byte{}, told: map[string]string{}}
}

func (w *world) Confirm() bool { return true }

func (w *world) Send(_ context.Context, msgs []shards.Message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range msgs {
		if w.torn && w.rand.IntN(10) == 0 {
			return errors.New("the broker is away") // a part of it is written
		}
		if m.Delete {
			delete(w.table, m.Key)
		} else {
			w.table[m.Key] = m.Value
		}
		if m.Emit != nil {
			w.events[m.EmitKey] = m.Emit
		}
	}
	if w.torn && w.rand.IntN(20) == 0 {
		return errors.New("nobody has acknowledged it")
	}
	return nil
}

func (w *world) Notify(_ context.Context, n *alerts.Notification) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away || w.torn && w.rand.IntN(3) == 0 {
		return errors.New("the receiver is away")
	}
	if w.told[n.ID] != "" {
		w.repeats++
	}
	w.told[n.ID] = string(n.Event) + " " + n.Alert.Summary
	if w.torn && w.rand.IntN(5) == 0 {
		return errors.New("the receiver took it and died")
	}
	return nil
}

func (w *world) Verdicts(_ context.Context, q query.Verdicts) (list []*compare.Verdict, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.verdicts {
		if v.Start >= q.From && v.Start < q.To {
			list = append(list, v)
		}
	}
	return list, w.askErr
}

func (w *world) Standings(context.Context, string) ([]*compare.Standing, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now().UnixMilli()
	return []*compare.Standing{{Topic: "orders", Size: 600, Since: now/1000 - 3600, Judged: now, Version: now}}, w.askErr
}

func (w *world) judge(state compare.State, messages uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now().UnixMilli()
	v := &compare.Verdict{Topic: "orders", Start: now/1000/600*600 - 600, Size: 600, Pipeline: "main", State: state, Judged: now, Final: now, Kind: compare.Complete,
		Tiers: []compare.Count{{Tier: "regional", Messages: 100}, {Tier: "aggregate", Messages: 100 - messages}}}
	if len(w.verdicts) > 0 {
		v.Start, v.Final = w.verdicts[0].Start, w.verdicts[0].Final
	}
	if messages > 0 {
		v.Kind = compare.Missing
		v.Findings = []compare.Finding{{Kind: compare.Missing, From: "regional", To: "aggregate", Messages: messages}}
	}
	w.verdicts = []*compare.Verdict{v}
}

func (w *world) rules() *alerts.Rules {
	r, err := alerts.New(alerts.Config{Mode: alerts.On, Span: 6 * time.Hour, Wait: 30 * time.Second, Update: 30 * time.Minute, Notifiers: []string{"chat"},
		Rules: []alerts.Rule{{Name: "loss", Subject: alerts.Missing, Severity: query.Page, Grace: time.Minute}}})
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// begin has an instance work until it is stopped: killed, or gently.
func (w *world) begin(owner string) (kill, drain func()) {
	p := New(Options{Rules: w.rules(), Judged: w, Notifiers: map[string]notify.Notifier{"chat": w}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Health: &w.health, Metrics: prometheus.NewRegistry(), Topology: processors.DefaultTopology()})
	c := newClaim(p, w, owner)
	w.mu.Lock()
	for _, key := range slices.Sorted(maps.Keys(w.table)) {
		c.load(key, w.table[key])
	}
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	draining, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		err := c.work(ctx, draining)
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil && !w.torn {
			w.Error(err)
		}
	}()
	return func() { cancel(); <-done }, func() { close(draining); <-done; cancel() }
}

// held is how much there is at the moment.
func (w *world) held() (told, rows, events int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.told), len(w.table), len(w.events)
}

func (w *world) tellings(event alerts.Event) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.told {
		if strings.HasPrefix(s, string(event)) {
			n++
		}
	}
	return n
}

func TestAnAlertIsStoredToldAndResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		_, drain := w.begin("a")
		w.judge(compare.Final, 5)
		time.Sleep(time.Minute)
		if told, rows, events := w.held(); told != 1 || w.tellings(alerts.Fired) != 1 || rows != 1 || events != 1 {
			t.Fatalf("told %d, %d rows, %d events", told, rows, events)
		}
		w.judge(compare.Amended, 0)
		time.Sleep(2 * time.Minute)
		if w.tellings(alerts.Ended) != 1 {
			t.Fatal("its end was not told")
		}
		time.Sleep(7 * time.Hour)
		drain()
		if len(w.table) != 0 || w.repeats > 0 {
			t.Errorf("%d rows are left of what is over, and %d were told twice", len(w.table), w.repeats)
		}
	})
}

func TestWhoTakesOverDeliversWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.away = true
		kill, _ := w.begin("a")
		w.judge(compare.Final, 5)
		time.Sleep(10 * time.Minute)
		if list, _ := w.health.Reports(); !slices.ContainsFunc(list, func(r health.Report) bool { return r.Part == "notifier chat" && r.State == health.Degraded }) {
			t.Errorf("health does not say that the receiver is away: %v", list)
		}
		kill()
		w.away = false
		_, drain := w.begin("b")
		time.Sleep(time.Second)
		if w.tellings(alerts.Fired) != 1 {
			t.Errorf("told %v", w.told)
		}
		time.Sleep(time.Minute)
		drain()
		if len(w.table) != 1 {
			t.Errorf("rows of the one before are left: %v", slices.Collect(maps.Keys(w.table)))
		}
	})
}

func TestWithoutVerdictsNothingIsResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		_, drain := w.begin("a")
		w.judge(compare.Final, 5)
		time.Sleep(time.Minute)
		w.mu.Lock()
		w.askErr, w.verdicts = query.ErrUnavailable, nil
		w.mu.Unlock()
		time.Sleep(time.Hour)
		drain()
		if w.tellings(alerts.Ended) != 0 {
			t.Errorf("told %v", w.told)
		}
	})
}

// Whoever dies, whenever, and whoever is away: each alert is told of, and its end, and
// what is told twice is told under one ID.
func TestNoNotificationIsLost(t *testing.T) {
	total := 0
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, rng := newWorld(t, seed), rand.New(rand.NewPCG(seed, 2))
				w.torn = true
				for i := range 12 {
					kill, drain := w.begin(fmt.Sprint("owner", i))
					switch i {
					case 2:
						w.judge(compare.Final, 5)
					case 7:
						w.judge(compare.Amended, 0)
					}
					time.Sleep(time.Duration(rng.IntN(40_000)) * time.Millisecond)
					if rng.IntN(3) == 0 {
						drain()
					} else {
						kill()
					}
				}
				w.mu.Lock()
				w.torn = false
				w.mu.Unlock()
				_, drain := w.begin("last")
				time.Sleep(20 * time.Minute)
				drain()
				if len(w.events) == 0 {
					t.Fatal("nothing was found: the test tests nothing")
				}
				fired := w.tellings(alerts.Fired)
				total += fired
				if fired > 1 || w.tellings(alerts.Ended) != fired {
					t.Errorf("told %v", w.told)
				}
			})
		})
	}
	if total < 10 {
		t.Errorf("only %d alerts fired: the test tests little", total)
	}
}
