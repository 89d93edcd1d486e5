package alert

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
)

// How deliveries are tried again: with pauses that double, for a day.
const (
	leastPause = time.Second
	mostPause  = 5 * time.Minute
	giveUp     = 24 * time.Hour
	tryWithin  = 45 * time.Second
)

// An outbox delivers what it is offered, to each notifier beside the others, so that one
// that is away holds nobody up. Of one alert a notifier is told in order.
type outbox struct {
	notifiers map[string]notify.Notifier
	now       func() time.Time
	attempted func(n *alerts.Notification, err error)
	abandoned func(n *alerts.Notification)

	mu      sync.Mutex
	waiting map[string][]alerts.Notification // by notifier
	tries   map[string]attempt               // by ID
	done    map[string]bool                  // delivered, and still offered
	changed map[string]chan struct{}         // by notifier
}

type attempt struct {
	times int
	next  time.Time
}

func newOutbox(notifiers map[string]notify.Notifier, now func() time.Time, attempted func(*alerts.Notification, error), abandoned func(*alerts.Notification)) *outbox {
	o := &outbox{notifiers: notifiers, now: now, attempted: attempted, abandoned: abandoned,
		waiting: map[string][]alerts.Notification{}, tries: map[string]attempt{}, done: map[string]bool{}, changed: map[string]chan struct{}{}}
	for name := range notifiers {
		o.changed[name] = make(chan struct{}, 1)
	}
	return o
}

// offer says what is to be delivered, all of it each time. It must be stored already.
func (o *outbox) offer(list []alerts.Notification) {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.waiting)
	offered := map[string]bool{}
	for _, n := range list {
		offered[n.ID] = true
		switch {
		case o.done[n.ID]:
		case o.notifiers[n.Notifier] == nil || n.Made != 0 && o.now().Sub(time.UnixMilli(n.Made)) > giveUp:
			o.done[n.ID] = true
			o.abandoned(&n)
		default:
			o.waiting[n.Notifier] = append(o.waiting[n.Notifier], n)
		}
	}
	gone := func(id string) bool { return !offered[id] }
	maps.DeleteFunc(o.done, func(id string, _ bool) bool { return gone(id) })
	maps.DeleteFunc(o.tries, func(id string, _ attempt) bool { return gone(id) })
	for name := range o.waiting {
		select {
		case o.changed[name] <- struct{}{}:
		default:
		}
	}
}

// delivered are those that need not be offered again.
func (o *outbox) delivered() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.done))
}

// run delivers until ctx ends.
func (o *outbox) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for name := range o.notifiers {
		wg.Go(func() { o.deliver(ctx, name) })
	}
}

func (o *outbox) deliver(ctx context.Context, name string) {
	for {
		n, wait := o.next(name)
		if n == nil {
			select {
			case <-o.changed[name]:
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
			continue
		}
		trying, cancel := context.WithTimeout(ctx, tryWithin)
		err := o.notifiers[name].Notify(trying, n)
		cancel()
		if ctx.Err() != nil && err != nil {
			return // the next owner delivers it
		}
		o.attempted(n, err)
		o.ended(n, err)
	}
}

// next gives the one to be delivered now, or how long there is none.
func (o *outbox) next(name string) (*alerts.Notification, time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	wait := time.Hour
	before := map[string]bool{} // alerts of which one waits already
	for _, n := range o.waiting[name] {
		if before[n.Alert.Key] || o.done[n.ID] {
			continue
		}
		before[n.Alert.Key] = true
		left := o.tries[n.ID].next.Sub(o.now())
		if left <= 0 {
			return &n, 0
		}
		wait = min(wait, left)
	}
	return nil, wait
}

func (o *outbox) ended(n *alerts.Notification, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err == nil {
		o.done[n.ID] = true
		return
	}
	t := o.tries[n.ID]
	pause := min(leastPause<<min(t.times, 20), mostPause)
	if errors.Is(err, notify.ErrRefused) {
		pause = mostPause // it heals when somebody has mended it
	}
	if f, ok := errors.AsType[*notify.Failure](err); ok {
		pause = max(pause, f.After)
	}
	o.tries[n.ID] = attempt{t.times + 1, o.now().Add(pause)}
}

// attempted notes what became of an attempt.
func (p *Processor) attempted(n *alerts.Notification, err error) {
	outcome := "delivered"
	switch {
	case errors.Is(err, notify.ErrRefused):
		outcome = "refused"
	case err != nil:
		outcome = "failed"
	}
	p.metrics.deliveries.WithLabelValues(n.Notifier, outcome).Inc()
	if err != nil {
		p.delivery[n.Notifier].Degraded(err.Error() + "; trying again")
		p.o.Log.Warn("not notified, trying again", "notifier", n.Notifier, "id", n.ID, "err", err)
		return
	}
	p.delivery[n.Notifier].OK()
	p.o.Log.Debug("notified", "notifier", n.Notifier, "id", n.ID, "event", n.Event)
}

// abandoned notes one that is given up, after a day, or because its notifier is no more.
func (p *Processor) abandoned(n *alerts.Notification) {
	p.metrics.deliveries.WithLabelValues(n.Notifier, "abandoned").Inc()
	p.o.Log.Error("given up: nobody was notified", "notifier", n.Notifier, "id", n.ID, "summary", n.Alert.Summary)
}
