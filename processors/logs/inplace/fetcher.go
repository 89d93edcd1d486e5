package inplace

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/processors/logs"
)

const (
	// mostWait is how long a broker may wait for something to give.
	mostWait = 250 * time.Millisecond
	// pace is the shortest time between two fetches while they bring little. A
	// quiet cluster is spared, and nobody waits so long for a count.
	pace = 100 * time.Millisecond
	// mostBytes is the most that a response may have, and mostOfOne the most that one
	// source may take of it, but for a batch that is larger. Less than leastBytes
	// would cost more CPU than it saves memory.
	mostBytes, mostOfOne, leastBytes = 8 << 20, 1 << 20, 128 << 10
)

// lanes is how many fetchers a broker may have.
const lanes = 2

type fetcherKey struct {
	broker int32
	lane   int
	plain  bool // it does not say which rack we are in
}

// second is the key of the fetcher that helps the one that has this key.
func (k fetcherKey) second() fetcherKey {
	k.lane = 1
	return k
}

// A fetcher reads sources that one broker leads, in one session, in a goroutine of
// its own. While it hands over what a response holds the next one is on its way,
// if there is much to read.
type fetcher struct {
	r       *Reader
	key     fetcherKey
	client  *kgo.Client
	session session       // guarded by the Reader's lock
	woken   chan struct{} // there is something new to tell

	walker  walker
	got     []part // of the response at hand
	gaps    map[*slot]gap
	bridged time.Time // when gaps were last looked behind
	asked   time.Time // when it was asked last
	link    link
	large   bool // the last response had so much that the next is worth no pause
	full    int  // responses in a row that had as much as they may
}

// A part is what a response holds of one source.
type part struct {
	slot *slot
	at   int64 // what was asked for
	end  place // where the batches say that they end
	portion
}

// fetcher finds or makes a fetcher. Locked.
func (r *Reader) fetcher(k fetcherKey) *fetcher {
	f := r.fetchers[k]
	if f == nil {
		client, err := r.lane(k.lane)
		if err != nil { // cannot be: the options were good for the first
			client = r.lanes[0]
		}
		f = &fetcher{r: r, key: k, client: client, woken: make(chan struct{}, 1), session: newSession(), gaps: map[*slot]gap{}, link: link{room: mostBytes}, walker: walker{inflater: inflater{turn: r.turn}}}
		r.fetchers[k] = f
		if !r.closed {
			r.work.Go(f.run)
		}
	}
	return f
}

// errNamesake is why a source is looked for when another topic has its name.
var errNamesake = errors.New("another topic of its name is read")

// add reads a source from where it is. Where answers name topics, of two with one
// name only the one that metadata spoke of last is there. Locked.
func (f *fetcher) add(s *source) {
	name := slotKey{name: s.Topic, partition: s.Partition}
	if old := f.session.slots[name]; f.session.named && old != nil && old.id != s.lead.id {
		f.r.seek(old.s, errNamesake)
	}
	s.home, s.slot = f, f.session.add(s, s.lead.id, s.lead.epoch, s.at)
	wake(f.woken)
}

// run asks and hands over, until the Reader is shut down.
func (f *fetcher) run() {
	for f.rest() {
		for coming := f.ask(); coming != nil; {
			f.take(f.await(coming))
			coming = nil
			crowded := f.crowded()
			if f.large && !crowded {
				coming = f.ask()
			}
			for i := range f.got {
				f.hand(&f.got[i])
			}
			if crowded {
				f.split()
			}
			f.bridge()
			clear(f.got) // the response is large, and the next may be long in coming
			f.got = f.got[:0]
		}
	}
}

// rest waits for the pace, or for something to read.
func (f *fetcher) rest() bool {
	f.r.mu.Lock()
	idle := len(f.session.slots) == 0
	f.r.mu.Unlock()
	var paced <-chan time.Time
	if !idle {
		paced = time.After(pace - time.Since(f.asked))
	}
	select {
	case <-f.r.ctx.Done():
		return false
	case <-paced:
	case <-f.woken:
	}
	return f.r.ctx.Err() == nil
}

// An answer is what came of a request.
type answer struct {
	resp *kmsg.FetchResponse
	err  error
	took time.Duration
}

// ask sends a request; nil if there is nothing to ask for.
func (f *fetcher) ask() <-chan answer {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.IsolationLevel = int32(mostWait.Milliseconds()), 1, readCommitted
	f.r.mu.Lock()
	if len(f.session.slots) == 0 {
		f.r.mu.Unlock()
		return nil
	}
	req.MaxBytes = f.link.ask(f.r.most(), !f.large)
	if !f.key.plain {
		req.Rack = f.r.rack
	}
	f.session.request(req, min(mostOfOne, req.MaxBytes))
	asked := fetch{FetchRequest: req, named: f.session.nameless > 0}
	if f.link.slow {
		asked.extra = f.r.slow - f.r.hung
	}
	f.r.mu.Unlock()
	f.asked = time.Now()
	coming := make(chan answer, 1)
	go func() {
		began := time.Now()
		resp, err := f.client.Broker(int(f.key.broker)).Request(f.r.ctx, asked)
		a := answer{err: err, took: time.Since(began)}
		if err == nil {
			a.resp = resp.(*kmsg.FetchResponse)
		}
		coming <- a
	}()
	return coming
}

// Isolation levels, as requests name them.
const readUncommitted, readCommitted = 0, 1

// most is how much a response may have. Fetchers that have nothing to read, such as
// those of brokers that are gone, need no share. Locked.
func (r *Reader) most() int32 {
	busy := 0
	for _, f := range r.fetchers {
		if len(f.session.slots) > 0 {
			busy++
		}
	}
	return int32(min(mostBytes, max(leastBytes, r.bytes/max(1, busy))))
}

// take sorts out an answer: what is to be handed over, and what has to be looked
// for, or is lost. It leaves the parts in got.
func (f *fetcher) take(a answer) {
	f.large = false
	lost := map[*source]error{}
	size, most := 0, 0
	f.r.mu.Lock()
	ok := a.err == nil
	if !ok {
		f.link.bad(a.took, f.r.hung)
	} else {
		ok, a.err = f.session.accept(a.resp)
	}
	switch {
	case !ok:
		f.failed(a.err)
	case a.err == nil:
		for i := range a.resp.Topics {
			t := &a.resp.Topics[i]
			for j := range t.Partitions {
				rp := &t.Partitions[j]
				size += len(rp.RecordBatches)
				n := f.session.find(t.Topic, t.TopicID, rp.Partition)
				if n == nil {
					continue
				}
				n.answered = true
				what, err := judge(n, rp, a.resp.Version)
				if what != serve && !n.s.follow.IsZero() {
					what = seek // only the leader's word counts
				}
				switch what {
				case serve:
					f.serve(n, rp)
				case doubt:
					n.doubted = true
					f.session.queue(n)
				case seek:
					f.r.seek(n.s, err)
				case lose:
					lost[n.s] = err
				}
			}
		}
		f.missing()
		most = int(f.r.most())
	}
	f.r.mu.Unlock()
	if f.large = size > most/16; a.err == nil {
		f.link.good(size, a.took, f.r.hung)
	}
	if f.full++; size < most/4*3 {
		f.full = 0
	}
	for s, err := range lost {
		f.r.lose(s, err)
	}
	if !ok && f.key.lane > 0 {
		f.relearn()
	}
}

// serve takes up what a response holds of a source, or where it is to be had.
// Locked.
func (f *fetcher) serve(n *slot, rp *kmsg.FetchResponseTopicPartition) {
	if f.nearer(n, rp.PreferredReadReplica) {
		return
	}
	n.s.tries, n.s.since, n.s.why = 0, time.Time{}, nil
	p := part{slot: n, at: n.asked, end: endOf(rp.RecordBatches, n.want), portion: portion{
		batches: rp.RecordBatches, aborted: rp.AbortedTransactions, stable: rp.LastStableOffset, start: rp.LogStartOffset,
	}}
	f.got = append(f.got, p)
	if p.end != n.want {
		f.session.rewind(n, p.end)
	}
	f.suspect(n, p.stable, p.start)
}

// errLeftOut is why a source is not served of which no answer speaks.
var errLeftOut = errors.New("its broker answers, and leaves it out")

// missing has those looked for of which no answer has spoken for long. A broker that
// is throttled speaks of nothing, or of some only, but every source has its turn.
// Locked.
func (f *fetcher) missing() {
	waiting := f.session.fresh[:0]
	for _, n := range f.session.fresh {
		switch {
		case n.answered, n.dropped:
		case !n.s.since.IsZero() && time.Since(n.s.since) > f.r.patience:
			f.r.seek(n.s, errLeftOut)
		default:
			waiting = append(waiting, n)
		}
	}
	clear(f.session.fresh[len(waiting):])
	f.session.fresh = waiting
}

// failed has all sources of a broker that does not answer looked for. Locked.
func (f *fetcher) failed(err error) {
	f.session.reset()
	for _, n := range f.session.all() {
		f.r.seek(n.s, err)
	}
	f.session = newSession()
}

// hand hands a part over.
func (f *fetcher) hand(p *part) {
	err := f.walk(p)
	if err == nil {
		return
	}
	if bad, ok := errors.AsType[*logs.Corrupt](err); ok && bad.To == 0 && f.walker.claimed > bad.From {
		// It came alone: if another one begins where it says that it ends, it does.
		if base, ok := f.behind(p.slot, f.walker.claimed); ok && base >= f.walker.claimed {
			bad.To = base
		}
	}
	f.r.lose(p.slot.s, err)
}

// tries is how often something that cannot be read is asked for: what is damaged
// on its way is whole the next time.
const readTries = 3

// walk walks a part, and says why its source is lost.
func (f *fetcher) walk(p *part) (lost error) {
	s := p.slot.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.paused {
		return nil
	}
	end, more := s.at, true
	var turns []epochStart
	if s.at.next == p.at {
		if len(p.batches) == 0 && s.stable == p.stable && s.start == p.start {
			return nil
		}
		var err error
		end, more, err = f.walker.walk(&p.portion, s.at, s.sink)
		turns = f.walker.turns
		switch {
		case err == nil || end.next > s.at.next:
			s.bad = 0
		case errors.Is(err, logs.ErrTooOld):
			lost = err
		}
		if err != nil {
			if s.bad++; s.bad == readTries {
				lost = err
			}
		}
		s.at, s.stable, s.start, s.paused = end, p.stable, p.start, !more
	}
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	s.seen.read(turns, end.next)
	switch {
	case s.slot != p.slot: // closed
	case !more:
		f.r.leave(s)
	case end != p.end: // something of it is to be read again
		f.session.rewind(p.slot, end)
	}
	return lost
}

// relearn asks where the brokers are. For the first lane the finder does it.
func (f *fetcher) relearn() {
	ctx, cancel := context.WithTimeout(f.r.ctx, f.r.hung)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none
	_, _ = req.RequestWith(ctx, f.client)      // what is wrong, the next request says
}
