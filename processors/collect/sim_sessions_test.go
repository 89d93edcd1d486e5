package collect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// A session is an instance's membership between two rebalances.
type session struct{ owner string }

// worker is what a session does with one partition: it is the claim of this
// package without its goroutines.
type worker struct {
	w         *world
	s         *session
	p         *partition
	m         *Machine // nil until the table has been read
	at        int64    // next offset to apply
	now       int64    // newest append time that it has seen
	committed int64    // as in claim
	flight    *flight
}

// flight is a flush on its way: the product's own store, which stops wherever it
// waits for Kafka.
type flight struct {
	changes Changes
	sent    bool // and not only taken
	flushed flushed
	resume  func() (struct{}, bool) // goes on to where it waits next; false when store has returned
	stop    func()
}

// lane holds what a worker has sent along a route and has not arrived: it arrives
// in order, if at all.
type lane struct {
	by *worker
	route
	slow bool // for long nothing of it arrives
	msgs []shards.Message
}

// route leads to a partition of the audit topic, or of the table.
type route struct {
	to    *partition
	table bool
}

func (k *worker) current() bool { return k.p.owner == k.s }

// rebalance deals the partitions to new sessions. The former ones are cut off, or
// were paused and do not know.
func (w *world) rebalance() {
	w.stats["rebalances"]++
	paused := map[*session]bool{}
	for _, k := range slices.Clone(w.workers) {
		if !k.current() {
			continue
		}
		pause, seen := paused[k.s]
		if !seen {
			pause = w.IntN(2) == 0
			paused[k.s] = pause
		}
		if pause {
			w.stats["zombies"]++
		} else {
			w.cut(k)
		}
	}
	instances := make([]*session, 1+w.IntN(3))
	for i := range instances {
		w.sessions++
		instances[i] = &session{owner: fmt.Sprint("s", w.sessions)}
		if w.sharedKeys {
			instances[i].owner = "s"
		}
	}
	for _, p := range w.partitions {
		p.owner = instances[w.IntN(len(instances))]
		w.workers = append(w.workers, &worker{w: w, s: p.owner, p: p, at: p.committed, committed: -1})
	}
}

// cut ends a worker wherever it is. Of what it has sent a prefix may still arrive.
func (w *world) cut(k *worker) {
	w.workers = slices.DeleteFunc(w.workers, func(o *worker) bool { return o == k })
	w.sums.end(k)
	if k.flight != nil {
		k.flight.stop()
		w.stats["cut off in a flush"]++
	}
	for _, l := range w.lanes {
		if l.by != k {
			continue
		}
		n := w.IntN(len(l.msgs) + 1)
		for _, m := range l.msgs[n:] {
			if !m.Delete {
				w.sums.lost++
			}
		}
		l.msgs = l.msgs[:n]
	}
	w.lanes = slices.DeleteFunc(w.lanes, func(l *lane) bool { return len(l.msgs) == 0 })
}

// cutAZombie is a paused instance that notices at last.
func (w *world) cutAZombie() {
	if k := w.someone(); !k.current() {
		w.cut(k)
	}
}

// close ends all coroutines.
func (w *world) close() {
	for _, k := range w.workers {
		if k.flight != nil {
			k.flight.stop()
		}
	}
}

// someone is mostly one of the current workers: who is paused, is slow.
func (w *world) someone() *worker {
	for {
		if k := w.workers[w.IntN(len(w.workers))]; k.current() || w.IntN(3) == 0 {
			return k
		}
	}
}

// step lets a worker, true or former, do one thing.
func (w *world) step(k *worker) {
	if k.m == nil {
		if w.calm || w.IntN(3) == 0 {
			w.load(k)
		}
		return
	}
	switch w.IntN(3) {
	case 0:
		for range 1 + w.IntN(10) {
			w.apply(k)
		}
	case 1:
		w.flush(k)
	case 2:
		w.resume(k)
	}
	w.checkMachine(k.m)
}

// load is a recovery. It may be slow: the session may have lost the partition.
func (w *world) load(k *worker) {
	o := MachineOptions{Owner: k.s.owner, Start: k.at, Partition: k.p.number, Partitions: int32(len(w.partitions)), Horizon: w.horizon}
	w.spoilOptions(&o)
	k.m = NewMachine(o)
	found := map[string][]byte{}
	for _, e := range k.p.table {
		if found[e.key] = e.value; e.value == nil {
			delete(found, e.key)
		}
	}
	keys := slices.Sorted(maps.Keys(found))
	w.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, key := range keys {
		identity, _, _ := table.Cut(key)
		row, err := table.Parse(found[key])
		if err != nil {
			w.fail("%s: %w", key, err)
		}
		k.now = max(k.now, row.Appended)
		w.spoilLoad(k.m, identity, row)
		if err := k.m.Load(key, found[key]); err != nil {
			w.fail("%s cannot load: %w", k.s.owner, err)
		}
	}
	w.spoilLoaded(k.m)
}

func (w *world) apply(k *worker) {
	if k.at >= int64(len(k.p.log)) {
		return
	}
	msg := &k.p.log[k.at]
	k.at++
	w.spoilApply(k, msg)
	out, err := k.m.Apply(msg.Message)
	w.read(k, msg, out, err)
}

// flush is claim.flush.
func (w *world) flush(k *worker) {
	n, _ := k.m.Pending()
	if k.flight != nil || n == 0 && k.m.Deletable() == 0 && k.m.Next() == k.committed {
		return
	}
	f := &flight{changes: w.take(k.m)}
	k.committed = f.changes.Next
	w.sums.begin(f)
	f.resume, f.stop = iter.Pull(func(yield func(struct{}) bool) {
		f.flushed = w.store(&wire{k: k, yield: yield}, f.changes)
	})
	k.flight = f
}

// resume is Kafka's answer to what the flush waits for, if it has one.
func (w *world) resume(k *worker) {
	f := k.flight
	if f == nil {
		return
	}
	if _, more := f.resume(); more {
		return
	}
	k.flight = nil
	if f.flushed.err != nil {
		w.fail("%s ends: %w", k.s.owner, f.flushed.err)
		return
	}
	w.sums.acked += len(f.changes.Writes)
	w.acked(k.m, f.changes, f.flushed.deleted)
}

// wire is a keeper: the way of a worker to Kafka. Anything may happen while it
// waits, before and after an answer is given.
type wire struct {
	k     *worker
	yield func(struct{}) bool
	cut   bool
}

func (x *wire) wait() bool {
	x.cut = x.cut || !x.yield(struct{}{})
	return !x.cut
}

func (x *wire) Confirm() bool {
	if !x.wait() {
		return false
	}
	w := x.k.w
	ours := x.k.current() && w.IntN(4) > 0 // it does not always answer
	x.wait()
	return ours
}

func (x *wire) Send(_ context.Context, msgs []shards.Message) error {
	if x.cut {
		return errCut
	}
	x.k.flight.sent = true
	x.k.w.sent(x.k, msgs)
	for slices.ContainsFunc(x.k.w.lanes, func(l *lane) bool { return l.by == x.k }) {
		if !x.wait() {
			return errCut
		}
	}
	return nil
}

func (x *wire) Commit(next int64) {
	if !x.wait() {
		return
	}
	switch w := x.k.w; {
	case !x.k.current():
		w.stats["commits refused"]++
	case !w.calm && w.IntN(6) == 0: // no answer: the next commit makes it good
	default:
		w.commit(x.k.p, next)
	}
}

var errCut = errors.New("cut off")

// sent puts messages on their way.
func (w *world) sent(k *worker, msgs []shards.Message) {
	lanes := map[route]*lane{}
	for _, m := range msgs {
		r := route{k.p, true}
		if m.Emit != nil {
			r = route{w.home(m.EmitKey), false}
		}
		l := lanes[r]
		if l == nil {
			l = &lane{by: k, route: r, slow: w.IntN(4) == 0}
			lanes[r] = l
			w.lanes = append(w.lanes, l)
		}
		l.msgs = append(l.msgs, m)
	}
}

// land lets so many messages arrive.
func (w *world) land(n int) {
	for ; n > 0 && len(w.lanes) > 0 && w.err == nil; n-- {
		i := w.IntN(len(w.lanes))
		l := w.lanes[i]
		if l.slow && !w.calm && w.IntN(20) > 0 {
			continue
		}
		m := l.msgs[0]
		if l.msgs = l.msgs[1:]; len(l.msgs) == 0 {
			w.lanes = slices.Delete(w.lanes, i, i+1)
		}
		if !m.Delete {
			w.sums.arrived++
		}
		switch {
		case !l.table:
			w.append(l.to, m.EmitKey, m.Emit)
		case m.Delete:
			w.write(l.to, m.Key, nil)
		default:
			w.write(l.to, m.Key, m.Value)
		}
	}
}

// write is the table's log.
func (w *world) write(p *partition, key string, value []byte) {
	p.table = append(p.table, written{key, value})
	identity, owner, err := table.Cut(key)
	if err != nil {
		w.fail("written: %w", err)
		return
	}
	if value == nil {
		delete(p.rows[identity], owner)
		w.stats["keys deleted"]++
		w.checkHeld(p, identity, "its entry of "+owner+" was deleted")
		return
	}
	row := w.checkRow(p, identity, value)
	if p.rows[identity] == nil {
		p.rows[identity] = map[string]table.Row{}
	}
	p.rows[identity][owner] = row
	w.checkHeld(p, identity, "version was written by "+owner)
}
