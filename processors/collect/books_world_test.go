package collect

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

// bookWorld is one source with its real counters, the audit topic that they write
// to, and sessions of a collecting instance that read it. Owners die at any
// point, go on as zombies, and are followed by others; sessions die with any part
// of their writes stored; the log has all of it repeated, late and out of order.
type bookWorld struct {
	*rand.Rand
	horizon time.Duration
	breaks  bool // the source's log breaks, and the configuration changes; then owners hand over in order
	clock   int64

	src     []counter.Event
	start   int64 // of the log
	end     int64
	digest  string
	windows int

	table  map[counter.Key]counter.Entry // of the counting group
	owners []*bookOwner                  // the last one is true
	log    []Message

	m         *Machine
	at        int64 // position of the session
	collected map[string][]byte
	committed int64
	sessions  int
	found     []Imbalance
	violent   bool // sessions die often
	compacted bool // is said of the topic
	checked   int  // progress records read when the sum was known
}

// bookOwner is a session of a counting instance.
type bookOwner struct {
	name     string
	c        *counter.Counter
	sequence int64
	out      []bookWrite // of the round under way
	led      *counter.Ledger
	said     *audit.Record // progress that is on its way
}

// bookWrite goes to the table, to the audit topic, or to both at different moments.
type bookWrite struct {
	key   counter.Key
	entry *counter.Entry
	rec   *audit.Record
}

func newBookWorld(seed uint64, breaks bool) *bookWorld {
	w := &bookWorld{Rand: rand.New(rand.NewPCG(seed, 11)), breaks: breaks, clock: simEpoch * 1000, digest: "a", table: map[counter.Key]counter.Entry{},
		collected: map[string][]byte{}, horizon: []time.Duration{3 * time.Hour, 48 * time.Hour}[seed%2]}
	w.windows, w.violent = 1+w.IntN(5), w.IntN(3) == 0
	w.session()
	w.owner()
	return w
}

func (w *bookWorld) run(steps int) {
	for range steps {
		switch w.IntN(24) {
		case 0, 1, 2:
			w.grow(w.IntN(20), true)
		case 3:
			w.handOver()
		case 4:
			if w.violent || w.IntN(8) == 0 {
				w.session()
			}
		case 5:
			w.repeat()
		case 6:
			if w.IntN(10) == 0 {
				w.clock += int64(w.horizon/time.Millisecond) / 3
			}
		case 7, 8, 9:
			w.flushSession(w.IntN(4) > 0 || !w.violent && w.IntN(8) > 0)
		case 10, 11, 12, 13:
			w.apply(1 + w.IntN(12))
		case 14, 15, 16:
			w.step(w.owners[w.IntN(len(w.owners))])
		default:
			w.step(w.owners[len(w.owners)-1])
		}
	}
}

// settle has the true owner count everything, and the session read all of it.
func (w *bookWorld) settle() {
	o := w.owners[len(w.owners)-1]
	for o.c.Next() < w.end || !o.c.Idle() || len(o.out) > 0 || o.led != nil {
		w.step(o)
	}
	for range 12 {
		w.progress(o)
	}
	w.apply(len(w.log))
}

// grow makes messages of about now, and lets some stray: of long ago, of the future.
func (w *bookWorld) grow(n int, stray bool) {
	for range n {
		w.clock += w.Int64N(3000)
		at := w.clock/1000 - w.Int64N(900)
		switch {
		case !stray:
		case w.IntN(40) == 0:
			at -= w.Int64N(5 * int64(w.horizon/time.Second))
		case w.IntN(40) == 0:
			at += w.Int64N(5 * int64(w.horizon/time.Second))
		}
		e := counter.Event{Offset: w.end, Window: at / 600 * 600, Time: w.clock, Event: audit.Event{Bytes: w.IntN(99), Hash: w.Uint64(), Moment: w.Uint64(), Latency: w.Int64N(5000)}}
		w.src = append(w.src, e)
		w.end++
		if w.IntN(8) == 0 {
			w.end += w.Int64N(4)
		}
	}
}

func (w *bookWorld) append(key string, value []byte) {
	w.clock += w.Int64N(20_000)
	m := Message{Offset: int64(len(w.log)), Appended: w.clock, Value: value}
	if key != "" {
		m.Key = []byte(key)
	}
	w.log = append(w.log, m)
}

func (w *bookWorld) record(r *audit.Record) { w.append(r.Key(), r.AppendJSON(nil)) }

// repeat appends something again, now and then without its key.
func (w *bookWorld) repeat() {
	for range w.IntN(4) {
		if n := len(w.log); n > 0 {
			old := w.log[w.IntN(n)]
			key := string(old.Key)
			if w.IntN(10) == 0 {
				key = ""
			}
			w.append(key, old.Value)
		}
	}
}

// handOver gives the source to a new owner.
func (w *bookWorld) handOver() {
	o := w.owners[len(w.owners)-1]
	switch {
	case w.breaks:
		for !o.c.Idle() || len(o.out) > 0 || o.led != nil {
			w.step(o)
		}
		w.owners = nil
		w.breakLog()
	case w.IntN(2) == 0: // it dies, and any part of what it was writing arrives
		for _, x := range o.out {
			if w.IntN(2) == 0 && x.rec != nil {
				w.record(x.rec)
			}
			if w.IntN(2) == 0 {
				w.store(x)
			}
		}
		w.owners = w.owners[:len(w.owners)-1]
	}
	w.owner()
}

func (w *bookWorld) breakLog() {
	switch w.IntN(4) {
	case 0:
		w.digest += "b"
	case 1:
		w.grow(w.IntN(10), true)
		w.start = max(w.start, w.end-w.Int64N(8))
	case 2:
		if n := len(w.src); n > 20 {
			n -= 1 + w.IntN(10)
			w.src, w.end = w.src[:n], w.src[n].Offset
			w.start = min(w.start, w.end)
		}
	}
}

func (w *bookWorld) owner() {
	o := &bookOwner{name: fmt.Sprintf("o%d", len(w.owners)+100*w.sessions+w.IntN(1e6)*1000)}
	o.c, _ = counter.Recover(counter.Options{Owner: o.name, Windows: w.windows, Digest: w.digest}, counter.Edges{Oldest: w.start, Newest: w.end}, maps.Clone(w.table))
	w.owners = append(w.owners, o)
}

func (w *bookWorld) store(x bookWrite) {
	if x.entry == nil {
		delete(w.table, x.key)
		return
	}
	e, err := counter.Decode(x.entry.Append(nil))
	if err != nil {
		panic(err)
	}
	w.table[x.key] = e
}

// step lets an owner do one thing: read, write, or say how far it is.
func (w *bookWorld) step(o *bookOwner) {
	if w.IntN(3) == 0 {
		w.read(o)
	}
	if w.IntN(4) == 0 {
		w.progress(o)
	}
	switch {
	case len(o.out) > 0:
		x := o.out[0]
		o.out = o.out[1:]
		w.store(x)
		if x.rec != nil {
			w.record(x.rec)
		}
	case o.led != nil:
		w.store(bookWrite{key: o.c.LedgerKey(), entry: &counter.Entry{Ledger: o.led}})
		if g := o.led.Missed; g != nil {
			r := &audit.Record{Kind: audit.KindMissed, Identity: bookIdentity(o.led.Generation, 0), Version: o.led.Start, Owner: o.name,
				Missed: &audit.Missed{From: g.From, To: g.To, Reason: g.Reason}}
			w.record(r)
		}
		o.c.Acked(*o.led)
		o.led = nil
		if o == w.owners[len(w.owners)-1] {
			for _, k := range o.c.Confirmed() {
				w.store(bookWrite{key: k})
			}
		}
	case !o.c.Idle():
		w.flush(o)
	}
}

func (w *bookWorld) flush(o *bookOwner) {
	start := o.c.State().Start
	l := o.c.Flush(func(k counter.Key, r *counter.Row) {
		e, err := counter.Decode(counter.Entry{Row: r}.Append(nil))
		if err != nil {
			panic(err)
		}
		o.out = append(o.out, bookWrite{k, &e, bookRecord(k, e.Row, start, w.digest)})
	})
	o.led = &l
}

// lastFlush gives the records of a flush instead of letting them arrive.
func (w *bookWorld) lastFlush() (records []*audit.Record) {
	o := w.owners[len(w.owners)-1]
	w.grow(10+w.IntN(30), false)
	for o.c.Next() < w.end {
		w.read(o)
	}
	w.flush(o)
	for _, x := range o.out {
		w.store(x)
		records = append(records, x.rec)
	}
	o.out = nil
	return records
}

func (w *bookWorld) read(o *bookOwner) {
	from, n := o.c.ReadFrom(w.start), w.IntN(15)
	i, _ := slices.BinarySearchFunc(w.src, max(from, w.start), func(e counter.Event, at int64) int { return int(e.Offset - at) })
	for ; i < len(w.src) && n > 0; i++ {
		o.c.Add(&w.src[i])
		n--
	}
	if i == len(w.src) && n > 0 {
		o.c.Advance(w.end, -1)
	}
}

// progress says how far an owner is, or was a while ago.
func (w *bookWorld) progress(o *bookOwner) {
	if o.said != nil {
		w.record(o.said)
		o.said = nil
		return
	}
	l := o.c.Durable()
	o.sequence++
	r := &audit.Record{Kind: audit.KindProgress, Owner: o.name, Version: o.sequence, Identity: bookIdentity(0, 0),
		Progress: &audit.Progress{Partitions: 4, Compacted: w.compacted, Sources: []audit.SourceProgress{{Partition: 2, Generation: l.Generation, Segment: l.Segment, Start: l.Start,
			Next: l.Next, Total: l.Total, LogStart: -1, End: w.end, HighWatermark: w.end, CaughtUp: audit.CaughtUpUnknown}}}}
	if w.IntN(5) == 0 {
		r.Progress.Sources[0].End = -1
	}
	r.Partition, r.Instance = audit.NoPartition, o.name
	o.said = r
}

// session begins one of the collecting instance; the old one has died.
func (w *bookWorld) session() {
	w.sessions++
	w.m = NewMachine(MachineOptions{Owner: fmt.Sprintf("s%d", w.sessions), Partitions: 1, Horizon: w.horizon})
	for key, value := range w.collected {
		if err := w.m.Load(key, value); err != nil {
			panic(err)
		}
	}
	w.at = w.committed
}

// flushSession stores what has changed, all of it or any part before the session dies.
func (w *bookWorld) flushSession(all bool) {
	c := w.m.Take()
	for _, x := range c.Writes {
		switch {
		case !all && w.IntN(2) == 0:
		case x.Emit != nil:
			w.append(x.EmitKey, x.Emit)
		default:
			w.collected[x.Key] = x.Value
		}
	}
	if !all {
		w.session()
		return
	}
	for _, key := range c.Deletes {
		delete(w.collected, key)
	}
	if c.Next >= 0 {
		w.committed = c.Next
	}
	w.m.Acked(c, true)
}

func (w *bookWorld) apply(n int) {
	for ; n > 0 && w.at < int64(len(w.log)); n-- {
		if w.known() && isProgress(string(w.log[w.at].Key)) {
			w.checked++
		}
		_, _ = w.m.Apply(w.log[w.at])
		w.at++
		w.found = append(w.found, w.m.Imbalances()...)
	}
	known := 0
	for _, a := range w.m.books.sources {
		for _, g := range a.generations {
			if g.known {
				known++
			}
		}
	}
	if known != w.m.Followed() {
		panic(fmt.Sprintf("%d sums are known, and %d are said to be", known, w.m.Followed()))
	}
}

// known says whether the sum of the newest generation is known now.
func (w *bookWorld) known() bool {
	a := w.m.books.sources[bookSource]
	return a != nil && len(a.generations) > 0 && a.generations[len(a.generations)-1].known
}

var bookSource = audit.Source{Cluster: "c", Topic: "orders", Partition: 2}

func bookIdentity(generation, segment int64) audit.Identity {
	return audit.Identity{Tier: "regional", Datacenter: "dc", Cluster: bookSource.Cluster, Topic: bookSource.Topic, Partition: bookSource.Partition, Generation: generation, Segment: segment}
}

func bookRecord(k counter.Key, r *counter.Row, start int64, digest string) *audit.Record {
	id := bookIdentity(k.Generation, k.Segment)
	id.Window = audit.Window{Start: k.Window, Size: 600}
	return &audit.Record{Kind: audit.KindWindow, Identity: id, Version: r.Last, Owner: k.Owner, Host: "h",
		Tally: &audit.WindowTally{Tally: r.Tally.Clone(), First: r.First, Last: r.Last, Partial: r.Partial, GenerationStart: start, Digest: digest,
			FingerprintMode: audit.FingerprintMode, LatencyBasis: audit.BasisUnknown}}
}
