package scenario

import (
	"fmt"
	"time"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/compare"
)

// A World is the world of a scenario for a program that decides by itself what happens,
// message by message, and knows what is true of it. Properties that it was made with hold
// while it is Disturbed. Not safe for concurrent use.
type World struct {
	w          *world
	properties map[Property]bool
}

// NewWorld makes a world in which both processors run. The same seed, and the same calls,
// give the same world.
func NewWorld(seed uint64, properties ...Property) (*World, error) {
	v := vary(seed, properties...)
	x := &World{w: newWorld(v), properties: v.properties}
	x.Disturb(false)
	for _, start := range []func() error{x.w.startCounting, x.w.startCollecting} {
		if err := start(); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// Disturb has the properties hold, or not, from now on.
func (x *World) Disturb(yes bool) {
	x.w.vary.properties = nil
	if yes {
		x.w.vary.properties = x.properties
	}
}

// Do does what a line of a script says.
func (x *World) Do(format string, a ...any) error {
	l := line{file: "world", at: 1}
	if err := l.parse(fmt.Sprintf(format, a...)); err != nil {
		return err
	}
	in := &args{line: &l, clock: x.w.clock}
	err := l.do(x.w, in)
	if in.err != nil { // said first
		return in.err
	}
	return err
}

// Clock is the world's time, Unix milliseconds.
func (x *World) Clock() int64 { return x.w.clock }

// Pass lets time pass at once, and whatever runs do all that there is to do.
func (x *World) Pass(d time.Duration) error {
	x.w.clock += d.Milliseconds()
	if n := len(x.w.zombies); n > mostZombies { // the others never wake up
		x.w.zombies = x.w.zombies[n-mostZombies:]
	}
	if err := x.w.happen(); err != nil {
		return err
	}
	return x.w.tick()
}

const mostZombies = 2

// Judge has windows judged. Clusters are the tiers declared so far.
func (x *World) Judge(lines ...compare.Pipeline) error { return x.w.judgeBy(lines) }

// Watch has a function called with each verdict and standing as it is stored; the other
// one is nil.
func (x *World) Watch(f func(*compare.Verdict, *compare.Standing)) { x.w.watch = f }

// Topic makes a topic with so many partitions at a place, named as in scripts.
func (x *World) Topic(place, name string, partitions int) error {
	p, err := x.w.place(&args{line: &line{}}, place)
	if err != nil {
		return err
	}
	if x.w.declared[name] == nil {
		x.w.declare(name)
	}
	x.w.create(p, name, partitions)
	return nil
}

// Compact says that a topic is known to be compacted at a place.
func (x *World) Compact(place, name string) error {
	_, t, err := x.topic(place, name)
	if err == nil {
		t.compacted = true
	}
	return err
}

// Put appends a message to a partition of a topic, in the open transaction of the topic if
// so wanted, and gives its offset.
func (x *World) Put(place, name string, partition int, m codecs.Message, open bool) (offset int64, err error) {
	_, t, err := x.topic(place, name)
	if err != nil {
		return 0, err
	}
	x.w.declared[name].made++
	var of *transaction
	if open {
		if len(t.open) == 0 {
			t.open = append(t.open, &transaction{first: map[*log]int64{}})
		}
		of = t.open[0]
	}
	offset = t.partitions[partition].end
	t.put(partition, m, of)
	return offset, nil
}

// Retain drops what is below an offset of a partition; Cut what is from it on.
func (x *World) Retain(place, name string, partition int, below int64) error {
	_, t, err := x.topic(place, name)
	if err != nil {
		return err
	}
	l := t.partitions[partition]
	l.start = max(l.start, below)
	l.forget(func(e *entry) bool { return e.offset < l.start })
	return nil
}

func (x *World) Cut(place, name string, partition int, from int64) error {
	_, t, err := x.topic(place, name)
	if err != nil {
		return err
	}
	l := t.partitions[partition]
	l.end = min(l.end, from)
	l.forget(func(e *entry) bool { return e.offset >= l.end })
	return nil
}

// Send has an application instance count a message.
func (x *World) Send(app, name string, m *codecs.Message, event int64, answered bool) error {
	a := x.w.apps[app]
	if a == nil {
		return fmt.Errorf("there is no app %q", app)
	}
	return a.send(name, m, event, answered)
}

// Repeat appends up to n records of the audit topic once more, chosen by chance among the
// newest: whoever wrote them believed that they had not arrived.
func (x *World) Repeat(n int) {
	for range n {
		p := x.w.vary.IntN(auditPartitions)
		if log := x.w.audit[p]; len(log) > 0 {
			m := log[len(log)-1-x.w.vary.IntN(min(len(log), 200))]
			x.w.append(string(m.Key), m.Value)
		}
	}
}

// Records is how many records the audit topic has.
func (x *World) Records() (n int) {
	for _, log := range x.w.audit {
		n += len(log)
	}
	return n
}

// Counting and Collecting say whether an instance runs.
func (x *World) Counting() bool   { return x.w.current != nil }
func (x *World) Collecting() bool { return x.w.collector != nil }

func (x *World) topic(at, name string) (*place, *topic, error) {
	p, err := x.w.place(&args{line: &line{}}, at)
	if err != nil {
		return nil, nil, err
	}
	t := p.topics[name]
	if t == nil {
		return nil, nil, fmt.Errorf("there is no topic %q at %s", name, at)
	}
	return p, t, nil
}

// Has says whether there is a topic at a place.
func (x *World) Has(at, name string) bool {
	_, _, err := x.topic(at, name)
	return err == nil
}
