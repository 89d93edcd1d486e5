package collect

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// claim is the work on one partition: it moves records into the machine, and
// what the machine wants written to the table.
type claim struct {
	p *Processor
	c *shards.Claim
	m *Machine

	flushed   chan flushed // what became of the flush in flight
	inFlight  bool
	writes    int                  // of the flush in flight
	committed int64                // position last committed, or being committed
	durable   int64                // position up to which everything is stored; at first, where reading began. -1 if nothing was read
	heard     time.Time            // when a record has come, or a tick was written
	size      atomic.Pointer[size] // for gauges
}

type flushed struct {
	changes Changes
	deleted bool
	err     error
}

func newClaim(p *Processor, c *shards.Claim) *claim {
	return &claim{p: p, c: c, flushed: make(chan flushed, 1), committed: -1, durable: -1, heard: time.Now(), m: NewMachine(MachineOptions{
		Owner: c.Owner, Start: c.Start, Partition: c.Partition, Partitions: p.o.Topology.Partitions, Horizon: p.o.Horizon,
		Judge: p.o.Judge, Verdicts: string(p.o.Topology.VerdictsTopic()),
	})}
}

// full says whether so much waits that the partition is read no further until a
// flush has made room. Short records weigh what their keys and entries do.
func (w *claim) full() bool {
	const entryBytes = 512
	n, size := w.m.Pending()
	return n >= w.p.o.MaxPending || n > 0 && size+n*entryBytes >= w.p.o.PendingBytes/max(1, w.c.Claims)
}

func (w *claim) work(ctx context.Context) error {
	defer func() {
		if w.inFlight {
			<-w.flushed // it ends with ctx
		}
		select {
		case <-w.c.Draining:
			w.p.left(w)
		default:
		}
	}()
	w.load()
	tick := time.NewTicker(w.p.o.FlushEvery)
	defer tick.Stop()
	for {
		messages := w.c.Messages
		if w.full() {
			messages = nil
			w.flush(ctx)
		}
		select {
		case msg, ok := <-messages:
			if !ok { // the session ends: nothing can be written any more
				<-ctx.Done()
				return nil
			}
			w.apply(msg)
		case <-tick.C:
			w.measure()
			w.tick()
			w.flush(ctx)
		case f := <-w.flushed:
			if err := w.acked(f); err != nil {
				return err
			}
		case <-w.c.Draining:
			return w.drain(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// load gives the machine what the table has, and has the store let go of it.
func (w *claim) load() {
	begin, bad := time.Now(), 0
	var first error
	for key, value := range w.c.Table.All() {
		if err := w.m.Load(key, value); err != nil {
			if bad++; first == nil {
				first = err
			}
		}
	}
	w.c.Table.Release() // the machine knows what it holds
	w.measure()
	if bad > 0 {
		w.p.metrics.unread.Add(float64(bad))
		w.p.o.Log.Warn("entries of the collect table cannot be read and are left as they are", "partition", w.c.Partition, "entries", bad, "first", first)
	}
	w.p.o.Log.Debug("collecting", "partition", w.c.Partition, "identities", w.m.Len(), "loaded_in", time.Since(begin).Round(time.Millisecond))
}

// measure notes sizes for gauges, now and then.
func (w *claim) measure() {
	waiting, _ := w.m.Pending()
	w.size.Store(&size{identities: w.m.Len(), followed: w.m.Followed(), waiting: waiting, inFlight: w.writes})
}

// tick has the log's time go on.
func (w *claim) tick() {
	if w.m.Judges() && time.Since(w.heard) >= tickAfter {
		w.heard = time.Now()
		w.m.Emit(Tick(w.c.Partition, w.p.o.Topology.Partitions))
	}
}

func (w *claim) apply(msg *sarama.ConsumerMessage) {
	w.heard = time.Now()
	if w.durable < 0 {
		w.durable = msg.Offset
	}
	out, err := w.m.Apply(Message{Offset: msg.Offset, Appended: appended(msg), Key: msg.Key, Value: msg.Value})
	if out != Ticked { // it is no record of anybody
		w.p.metrics.outcome[out].Inc()
	}
	if out == Malformed {
		w.p.aside.Add(msg.Topic, msg.Partition, msg.Offset, err)
	}
	for _, i := range w.m.Imbalances() {
		w.p.metrics.imbalances.WithLabelValues(string(i.Kind)).Inc()
		w.p.books.Raise(i.String(), "kind", i.Kind, "source", i.Source, "partition", msg.Partition)
	}
}

// appended is the time of the log, 0 if the broker gave none.
func appended(msg *sarama.ConsumerMessage) int64 {
	if msg.Timestamp.IsZero() {
		return 0
	}
	return msg.Timestamp.UnixMilli()
}

// flush begins to store what has changed, unless a flush is in flight. When it
// is acknowledged, the position that the machine has now can be committed.
func (w *claim) flush(ctx context.Context) {
	n, _ := w.m.Pending()
	if w.inFlight || n == 0 && w.m.Deletable() == 0 && w.m.Next() == w.committed {
		return
	}
	w.inFlight = true
	changes := w.m.Take()
	w.committed, w.writes = changes.Next, len(changes.Writes)
	w.measure()
	go func() {
		begin := time.Now()
		f := store(ctx, w.c, changes, string(w.p.o.Topology.VerdictsTopic()))
		if f.err == nil {
			w.p.metrics.flushed(f, time.Since(begin))
		}
		w.flushed <- f
	}()
}

// keeper is what a flush needs of a shards.Claim.
type keeper interface {
	Confirm() bool
	Send(ctx context.Context, msgs []shards.Message) error
	Commit(next int64)
}

// store does what changes say, in the order that makes it safe: only after all
// that the records before Next have led to is acknowledged is Next committed,
// and deleted is only if the session is seen to own the partition, which it is
// asked for when the flush before, that made the keys superfluous, has been
// acknowledged.
func store(ctx context.Context, k keeper, c Changes, verdicts string) flushed {
	msgs := c.Writes
	deleted := len(c.Deletes) > 0 && k.Confirm()
	if deleted {
		for _, key := range c.Deletes {
			msgs = append(msgs, deletion(key, verdicts))
		}
	}
	if err := k.Send(ctx, msgs); err != nil {
		return flushed{err: err}
	}
	if c.Next >= 0 {
		k.Commit(c.Next)
	}
	return flushed{changes: c, deleted: deleted}
}

// deletion removes a key from the table; what the judge has said, from the topic of
// verdicts too.
func deletion(key, verdicts string) shards.Message {
	m := shards.Message{Key: key, Delete: true}
	if table.Judged(key) {
		m.EmitTo, m.EmitKey, m.Unsay = verdicts, key, true
	}
	return m
}

func (w *claim) acked(f flushed) error {
	w.inFlight = false
	if f.err != nil {
		return fmt.Errorf("collect: store changes: %w", f.err)
	}
	w.m.Acked(f.changes, f.deleted)
	w.writes, w.durable = 0, f.changes.Next
	w.measure()
	return nil
}

// drain stores what is left. What is due for deletion can wait for the next
// owner, who finds it.
func (w *claim) drain(ctx context.Context) error {
	for range 2 { // the flush in flight, and the last one
		w.flush(ctx)
		if !w.inFlight {
			return nil
		}
		select {
		case f := <-w.flushed:
			if err := w.acked(f); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
