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

// keep is how many items a List keeps.
const keep = 100

// A List holds the newest items. Make it with New. Safe for concurrent use.
type List struct {
	alarm *health.Alarm

	mu    sync.Mutex
	items []Item
}

// New makes a list that reports to a part of its own.
func New(log *slog.Logger, part *health.Part) *List {
	return &List{alarm: health.NewAlarm(part, log, "records set aside")}
}

// Add sets a record aside. A record that is read again, after a restart or a
// rebalance, is listed once.
func (l *List) Add(topic string, partition int32, offset int64, reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it := Item{Topic: topic, Partition: partition, Offset: offset, Reason: reason.Error(), At: time.Now()}
	l.items = slices.DeleteFunc(l.items, func(o Item) bool {
		return o.Topic == topic && o.Partition == partition && o.Offset == offset
	})
	if len(l.items) == keep {
		l.items = l.items[1:]
	}
	l.items = append(l.items, it)
	l.alarm.Raise(fmt.Sprintf("offset %d of %s/%d: %s", offset, topic, partition, it.Reason))
}

// Items lists the newest, oldest first, and says how many there were in all.
func (l *List) Items() (items []Item, total uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.items), l.alarm.Total()
}

// Close ends what the list has running.
func (l *List) Close() { l.alarm.Close() }
