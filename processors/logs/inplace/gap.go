package inplace

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// Compaction may leave nothing between the position and the last stable offset,
// and behind that lie records of an open transaction:
//
//	... 89 |                      | 100 101 ...
//	       position               last stable offset
//
// What is fetched is read committed, so nothing ever comes, and nothing says that
// there is nothing. That no answer has anything does not prove it: a broker gives
// nothing when it is throttled, when others' turn is first, or while it fetches
// from remote storage. So it is asked for what lies there whether it is stable or
// not; where that begins, the gap ends.

// A gap is what may be one: the log is stable up to beyond at, and yet nothing
// has come of it.
type gap struct {
	at, stable, start int64
	due               time.Time // not looked behind before
}

const (
	// gapAfter is how long nothing must have come. It is longer where responses
	// are large: then most sources have to wait for their turn.
	gapAfter, gapAfterAll = time.Second, 10 * time.Second
	// gapsAtOnce is how many are looked behind between two fetches.
	gapsAtOnce = 4
)

// suspect notes whether there should be more of a slot than has come. Locked.
func (f *fetcher) suspect(n *slot, stable, start int64) {
	switch old, ok := f.gaps[n]; {
	case stable <= n.want.next:
		delete(f.gaps, n)
	case ok && old.at == n.want.next:
		f.gaps[n] = gap{old.at, stable, start, old.due}
	default:
		f.gaps[n] = gap{n.want.next, stable, start, time.Now().Add(gapAfter)}
	}
}

// bridge looks behind suspected gaps, and again later behind those about which the
// broker does not say anything.
func (f *fetcher) bridge() {
	now := time.Now()
	if now.Before(f.bridged.Add(gapAfter / 4)) {
		return
	}
	f.bridged = now
	if f.large {
		now = now.Add(gapAfter - gapAfterAll)
	}
	looked := 0
	for n, g := range f.gaps {
		if looked == gapsAtOnce || now.Before(g.due) {
			continue
		}
		f.r.mu.Lock()
		over := n.dropped || n.want.next != g.at
		f.r.mu.Unlock()
		if over {
			delete(f.gaps, n)
			continue
		}
		looked++
		end, ok := f.behind(n, g.at)
		if !ok {
			g.due = time.Now().Add(gapAfter)
			f.gaps[n] = g
			continue
		}
		delete(f.gaps, n)
		if end = min(end, g.stable); end > g.at {
			f.cross(n, g, end)
		}
	}
}

// behind is where the first batch at or behind an offset begins.
func (f *fetcher) behind(n *slot, at int64) (base int64, ok bool) {
	ctx, cancel := context.WithTimeout(f.r.ctx, f.r.hung)
	defer cancel()
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.IsolationLevel, req.SessionEpoch = 1, readUncommitted, -1 // one batch, and no session
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.Topic, t.TopicID = n.s.Topic, n.id
	p.Partition, p.FetchOffset, p.CurrentLeaderEpoch, p.PartitionMaxBytes = n.s.Partition, at, n.lead, 1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := f.client.Broker(int(f.key.broker)).Request(ctx, fetch{FetchRequest: req, named: n.id == (audit.TopicID{})})
	if err != nil {
		return 0, false
	}
	r := resp.(*kmsg.FetchResponse)
	if r.ErrorCode != 0 || len(r.Topics) != 1 || len(r.Topics[0].Partitions) != 1 || r.Topics[0].Partitions[0].ErrorCode != 0 {
		return 0, false
	}
	h, err := parseHead(r.Topics[0].Partitions[0].RecordBatches)
	return h.base, err == nil
}

// cross moves a source over a gap. Of which epoch its end is, nobody has said.
func (f *fetcher) cross(n *slot, g gap, end int64) {
	s := n.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.paused || s.at.next != g.at {
		return
	}
	s.at = place{end, -1}
	f.r.mu.Lock()
	s.seen = nil // nor where the next one begins
	f.r.mu.Unlock()
	s.paused = !s.sink.Batch(&logs.Batch{Next: end, Stable: g.stable, Start: g.start, Epoch: -1})
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	switch {
	case s.slot != n:
	case s.paused:
		f.r.leave(s)
	default:
		f.session.rewind(n, s.at)
	}
}
