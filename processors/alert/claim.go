package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/query"
)

// keeper is what a claim needs of a shards.Claim.
type keeper interface {
	Confirm() bool
	Send(ctx context.Context, msgs []shards.Message) error
}

// claim is the work while it is the turn of this instance.
type claim struct {
	p     *Processor
	k     keeper
	owner string
	st    *alerts.State
	out   *outbox

	former map[string][]string // keys of others in the table, by alert
	stale  []string            // keys that are no longer needed
}

func newClaim(p *Processor, k keeper, owner string) *claim {
	return &claim{p: p, k: k, owner: owner, st: &alerts.State{}, former: map[string][]string{},
		out: newOutbox(p.o.Notifiers, p.o.Now, p.attempted, p.abandoned)}
}

// load takes an entry of the table. One that cannot be read is left as it is.
func (w *claim) load(key string, value []byte) {
	if err := w.st.Load(value); err != nil {
		w.p.o.Log.Warn("an entry of the alert table cannot be read and is left as it is", "key", key, "err", err)
		return
	}
	alert := key
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		alert = key[:i]
	}
	w.former[alert] = append(w.former[alert], key)
}

func (w *claim) work(ctx context.Context, draining <-chan struct{}) error {
	deliver, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.out.run(deliver)
	}()
	defer func() { stop(); <-ended }()
	w.out.offer(w.p.o.Rules.Waiting(w.st)) // what the one before has stored, and may not have delivered
	tick := time.NewTicker(w.p.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := w.step(ctx); err != nil {
				return err
			}
		case <-draining:
			stop()
			<-ended
			return w.store(ctx, w.st.Delivered(w.out.delivered()...))
		case <-ctx.Done():
			return nil
		}
	}
}

// step asks, moves the alerts on, stores, and has delivered what waits.
func (w *claim) step(ctx context.Context) error {
	begin := time.Now()
	st := w.st.Delivered(w.out.delivered()...)
	asking, cancel := context.WithTimeout(ctx, askWithin)
	snapshot, err := w.p.o.Rules.Look(asking, w.p.o.Judged, st)
	cancel()
	if err != nil {
		w.p.metrics.failures.Inc()
		w.p.rules.Degraded(fmt.Sprintf("the rules cannot be run: %v; trying again", err))
	} else {
		st, _ = w.p.o.Rules.Step(st, snapshot, w.p.o.Now())
		w.p.rules.OK()
	}
	if err := w.store(ctx, st); err != nil {
		return err
	}
	w.out.offer(w.p.o.Rules.Waiting(st))
	w.p.measure(st, len(w.p.o.Rules.Waiting(st)))
	w.p.metrics.step.Observe(time.Since(begin).Seconds())
	w.p.metrics.asOf.Set(float64(st.AsOf) / 1000)
	return nil
}

// askWithin bounds how long a step waits for the verdicts.
const askWithin = 20 * time.Second

// store stores what has changed, and says it on the topic of alert events.
func (w *claim) store(ctx context.Context, st *alerts.State) error {
	changed, gone := st.Changes(w.st)
	var msgs []shards.Message
	var replaced []string
	for _, e := range changed {
		m, err := w.message(e)
		if err != nil {
			return err
		}
		msgs = append(msgs, m)
		for _, key := range w.former[e.Alert.Key] {
			if key != m.Key {
				replaced = append(replaced, key)
			}
		}
		w.former[e.Alert.Key] = []string{m.Key}
	}
	if len(w.stale) > 0 && w.k.Confirm() {
		for _, key := range w.stale {
			msgs = append(msgs, shards.Message{Key: key, Delete: true})
		}
		w.stale = nil
	}
	if err := w.k.Send(ctx, msgs); err != nil {
		return fmt.Errorf("alert: store: %w", err)
	}
	for _, e := range changed {
		w.p.note(e, w.st.Entries[e.Alert.Key])
	}
	// Only now, that ours is acknowledged, may the others go, if the session is current.
	w.stale = append(w.stale, replaced...)
	for _, alert := range gone {
		w.stale = append(w.stale, w.former[alert]...)
		delete(w.former, alert)
	}
	w.st = st
	return nil
}

// message stores an entry; what has changed for those who read alerts is said, too.
func (w *claim) message(e *alerts.Entry) (shards.Message, error) {
	b, err := e.Encode()
	if err != nil {
		return shards.Message{}, fmt.Errorf("alert %s: %w", e.Alert.Key, err)
	}
	m := shards.Message{Key: e.Alert.Key + "/" + w.owner, Value: b}
	if old := w.st.Entries[e.Alert.Key]; old != nil && old.Alert.Version == e.Alert.Version {
		return m, nil
	}
	m.EmitKey = m.Key
	m.Emit, err = json.Marshal(&e.Alert)
	return m, err
}

// note counts and logs how an alert has moved on.
func (p *Processor) note(e, old *alerts.Entry) {
	if old != nil && old.Alert.State == e.Alert.State {
		return
	}
	a := &e.Alert
	p.metrics.moves.WithLabelValues(string(a.State)).Inc()
	if a.State != query.Pending {
		p.o.Log.Info("alert", "state", a.State, "rule", a.Rule, "severity", a.Severity, "summary", a.Summary, "key", a.Key, "shadow", a.Shadow, "muted", a.Muted)
	}
}
