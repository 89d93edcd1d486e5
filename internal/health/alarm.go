package health

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Bounds of an Alarm: how long health remembers the last time, and how often the
// log hears of many.
const (
	remember = time.Hour
	logEvery = time.Minute
)

// An Alarm is a part that is well unless something happens that must not: a
// record that cannot be read, sums that do not balance. Such a thing is over in a
// moment, and nobody may be looking then; so the part stays degraded for an hour
// after the last time, or until the program is started anew. Make it with
// NewAlarm; safe for concurrent use.
type Alarm struct {
	part *Part
	log  *slog.Logger
	what string

	mu     sync.Mutex
	total  uint64
	last   time.Time
	quiet  uint64 // not logged since the last line
	logged time.Time
	heal   *time.Timer
}

// NewAlarm makes an Alarm of a part of its own. What names, in the plural, what
// must not happen.
func NewAlarm(part *Part, log *slog.Logger, what string) *Alarm {
	part.OK()
	return &Alarm{part: part, log: log, what: what}
}

// Raise says that it has happened, to what, and what to do. The attributes are
// for the log.
func (a *Alarm) Raise(reason string, attributes ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.total++
	a.quiet++
	a.last = time.Now()
	if a.last.Sub(a.logged) >= logEvery {
		a.log.Warn(a.what, append([]any{"last", reason, "since_last_line", a.quiet}, attributes...)...)
		a.logged, a.quiet = a.last, 0
	}
	a.part.Degraded(fmt.Sprintf("%d %s, the last: %s", a.total, a.what, reason))
	if a.heal == nil {
		a.heal = time.AfterFunc(remember, a.forget)
		return
	}
	a.heal.Reset(remember)
}

// forget may run just when the alarm is raised again.
func (a *Alarm) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.last) >= remember {
		a.part.OK()
	}
}

// Total is how often it has happened since the start.
func (a *Alarm) Total() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}

// Close ends what the alarm has running; what health says stays.
func (a *Alarm) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.heal != nil {
		a.heal.Stop()
	}
}
