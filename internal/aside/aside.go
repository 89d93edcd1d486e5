// Package aside keeps account of records that a processor cannot use.
//
// Such a record must not stop the partition that it is in, and must not vanish
// without a word. So it is set aside: counted, logged, shown in /health, and
// listed with its partition and offset, under which it can be read from the
// audit topic for as long as that keeps it.
package aside

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/internal/health"
)

// An Item is a record that was set aside.
type Item struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Reason    string    `json:"reason"`
	At        time.Time `json:"at"` // when, by the clock of this instance
}

// Bounds of a List: how many items it keeps, how often the log hears of them,
// and how long health remembers the newest.
const (
	keep     = 100
	logEvery = time.Minute
	remember = time.Hour
)

// A List holds the newest items. Make it with New. Safe for concurrent use.
type List struct {
	log    *slog.Logger
	health *health.Part
	now    func() time.Time

	mu     sync.Mutex
	items  []Item
	total  uint64
	quiet  uint64 // not logged since the last line
	logged time.Time
	heal   *time.Timer
}

// New makes a list that reports to a part of its own.
func New(log *slog.Logger, part *health.Part) *List {
	part.OK()
	return &List{log: log, health: part, now: time.Now}
}

// Add sets a record aside. A record that is read again, after a restart or a
// rebalance, is listed once.
func (l *List) Add(topic string, partition int32, offset int64, reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it := Item{Topic: topic, Partition: partition, Offset: offset, Reason: reason.Error(), At: l.now()}
	l.total++
	l.items = slices.DeleteFunc(l.items, func(o Item) bool {
		return o.Topic == topic && o.Partition == partition && o.Offset == offset
	})
	if len(l.items) == keep {
		l.items = l.items[1:]
	}
	l.items = append(l.items, it)
	l.quiet++
	if it.At.Sub(l.logged) >= logEvery {
		l.log.Warn("record set aside", "topic", topic, "partition", partition, "offset", offset, "reason", it.Reason, "since_last_line", l.quiet)
		l.logged, l.quiet = it.At, 0
	}
	l.health.Degraded(fmt.Sprintf("%d records set aside, the last at offset %d of %s/%d: %s", l.total, offset, topic, partition, it.Reason))
	if l.heal != nil {
		l.heal.Stop()
	}
	l.heal = time.AfterFunc(remember, l.health.OK)
}

// Items lists the newest, oldest first, and says how many there were in all.
func (l *List) Items() (items []Item, total uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.items), l.total
}

// Close ends what the list has running.
func (l *List) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heal != nil {
		l.heal.Stop()
	}
}
