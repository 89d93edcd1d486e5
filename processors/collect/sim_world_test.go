package collect

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// world is Kafka, and everybody who uses it.
type world struct {
	mistake
	*rand.Rand
	horizon    time.Duration
	topics     []string
	partitions []*partition
	workers    []*worker // of sessions that may yet do something
	lanes      []*lane   // with messages that may yet arrive
	sessions   int
	calm       bool // commits get through, and recoveries are quick

	windows, sources int   // that there are at a time: few have many versions
	restless         int   // how many of a hundred steps are rebalances
	clock            int64 // Unix milliseconds
	versions         map[string]int64
	counting         map[string][]string // by topic, the sessions of counting instances, the newest last
	late             []delayed
	records          map[string]*audit.Record // that have been decoded

	sums  sums
	err   error
	stats map[string]int
}

// delayed is a record that is on its way for hours.
type delayed struct {
	record *audit.Record
	value  []byte
}

// partition is one of the audit topic, with the one of the table.
type partition struct {
	number    int32
	log       []logged
	now       int64 // newest append time
	skew      int64 // of its broker's clock
	owner     *session
	committed int64

	table   []written
	rows    map[string]map[string]table.Row // what the table says, by identity and owner
	due     map[string]due                  // what is before the committed position, by identity
	arrived map[string]bool                 // records that are in their place, by value
}

// logged is a message of the audit topic, and what we know of it.
type logged struct {
	Message
	record   *audit.Record // nil if it is none that is collected
	identity string
	placed   bool // under its key in its partition
}

// written is an entry of the table's log.
type written struct {
	key   string
	value []byte // nil deletes
}

func newWorld(r *rand.Rand, m mistake) *world {
	w := &world{mistake: m, Rand: r, clock: simEpoch * 1000, versions: map[string]int64{}, counting: map[string][]string{}, records: map[string]*audit.Record{}, stats: map[string]int{}}
	w.horizon = []time.Duration{time.Hour, 3 * time.Hour, 48 * time.Hour}[w.IntN(3)]
	partitions, topics := 1+w.IntN(3), 1+w.IntN(4)
	w.windows, w.sources, w.restless = 1+w.IntN(12), 1+w.IntN(3), 3
	if w.IntN(3) == 0 { // little, of which much is said, by many
		partitions, topics = 1, 1
		w.windows, w.sources, w.restless = 1, 1, 3+w.IntN(7)
	}
	for n := range partitions {
		w.partitions = append(w.partitions, &partition{
			number: int32(n), skew: w.Int64N(10_000), rows: map[string]map[string]table.Row{}, due: map[string]due{}, arrived: map[string]bool{},
		})
	}
	for n := range topics {
		w.topics = append(w.topics, fmt.Sprint("topic", n))
	}
	return w
}

func (w *world) anyPartition() *partition { return w.partitions[w.IntN(len(w.partitions))] }
func (w *world) home(key string) *partition {
	return w.partitions[shards.PartitionOf(key, int32(len(w.partitions)))]
}

// append is a broker that takes a message. Leaders move, and clocks differ: append
// times may step back.
func (w *world) append(p *partition, key string, value []byte) {
	w.clock += w.Int64N(60_000)
	if w.IntN(50) == 0 {
		w.clock += w.Int64N(2*w.horizon.Milliseconds()) / 3
	}
	m := logged{Message: Message{Offset: int64(len(p.log)), Appended: w.clock + p.skew - w.Int64N(2000), Value: value}}
	if key != "" {
		m.Key = []byte(key)
	}
	if r := w.decode(value); r != nil {
		m.record, m.identity = r, r.IdentityKey()
		m.placed = key == r.Key() && w.home(key) == p
		if m.placed {
			p.arrived[string(value)] = true
		}
	}
	p.now = max(p.now, m.Appended)
	p.log = append(p.log, m)
	w.stats["records"]++
}

// decode remembers, because most is said more than once. It is nil for what is
// not collected.
func (w *world) decode(value []byte) *audit.Record {
	r, known := w.records[string(value)]
	if !known {
		var err error
		if r, err = audit.Decode(value); err != nil || !collects(r.Kind) {
			r = nil
		}
		w.records[string(value)] = r
	}
	return r
}

// compact drops any entries that have a later one of the same key, and
// tombstones that are the only ones left of theirs.
func (p *partition) compact(r *rand.Rand) {
	last, before := map[string]int{}, map[string]int{}
	for i, e := range p.table {
		last[e.key] = i
	}
	var kept []written
	for i, e := range p.table {
		keep := r.IntN(3) == 0
		if last[e.key] == i {
			keep = e.value != nil || before[e.key] > 0 || r.IntN(2) == 0
		}
		if keep {
			before[e.key]++
			kept = append(kept, e)
		}
	}
	p.table = kept
}

// produce has everybody who counts say something.
func (w *world) produce() {
	for range 1 + w.IntN(6) {
		switch w.IntN(20) {
		case 0, 1:
			w.again()
		case 2:
			w.append(w.anyPartition(), "what", nonsense[w.IntN(len(nonsense))])
		case 3, 4:
			w.send(nil, original(w.topic(), fmt.Sprint("u", w.IntN(20)), w.clock))
		case 5, 6, 7:
			w.progress()
		case 8:
			w.other()
		case 9, 10:
			w.arriveLate()
		default:
			w.window()
		}
	}
}

// nonsense is what cannot be collected.
var nonsense = [][]byte{nil, []byte("no record"), []byte(`{"v":1,"kind":"window"}`), []byte(`{"v":1,"kind":"forecast","x":1}`)}

func (w *world) topic() string { return w.topics[w.IntN(len(w.topics))] }

// send appends a record, or has it delayed. The original's have no key; others
// lack theirs, or come to another partition, when a reporter is not ours.
func (w *world) send(r *audit.Record, value []byte) {
	if w.IntN(10) == 0 {
		w.late = append(w.late, delayed{r, value})
		return
	}
	w.arrive(r, value)
}

func (w *world) arriveLate() {
	if n := len(w.late); n > 0 {
		i := w.IntN(n)
		d := w.late[i]
		w.late[i] = w.late[n-1]
		w.late = w.late[:n-1]
		w.arrive(d.record, d.value)
	}
}

func (w *world) arrive(r *audit.Record, value []byte) {
	if r == nil {
		w.append(w.anyPartition(), "", value)
		return
	}
	switch key := r.Key(); w.IntN(20) {
	case 0:
		w.append(w.anyPartition(), "", value)
	case 1:
		w.append(w.home(key), r.IdentityKey()+"/another", value)
	case 2:
		w.append(w.anyPartition(), key, value)
	default:
		w.append(w.home(key), key, value)
	}
}

// again repeats a message, sometimes without its key.
func (w *world) again() {
	p := w.anyPartition()
	if len(p.log) == 0 {
		return
	}
	m := p.log[w.IntN(len(p.log))]
	if w.IntN(4) == 0 {
		w.append(w.anyPartition(), "", m.Value)
	} else {
		w.append(p, string(m.Key), m.Value)
	}
}

// next is the next version of a source, or one that it had before.
func (w *world) next(source string) int64 {
	w.versions[source] += w.Int64N(3)
	return max(0, w.versions[source]-w.Int64N(2)*w.Int64N(3))
}

func (w *world) window() {
	const size = 600
	start := w.clock/1000/size*size - size*w.Int64N(int64(w.windows))
	switch w.IntN(20) {
	case 0:
		start += size * w.Int64N(600) // event times are wrong in any way
	case 1:
		start -= int64(w.horizon.Seconds()) / size * size
	}
	r := windowRecord(fmt.Sprint("c", w.IntN(3)), int32(w.IntN(w.sources)), start, 0)
	r.Topic = w.topic()
	r.Version = w.next(r.IdentityKey())
	r.Tally.Last, r.Tally.Count = r.Version, uint64(r.Version)+1 // the law: content is a function of identity and version
	w.send(r, r.AppendJSON(nil))
}

// progress is said by the newest session that counts a topic, or by a former one.
func (w *world) progress() {
	topic := w.topic()
	owners := w.counting[topic]
	if len(owners) == 0 || w.IntN(6) == 0 {
		owners = append(owners, fmt.Sprintf("c%d", len(owners)))
		w.counting[topic] = owners
	}
	owner := owners[len(owners)-1]
	if w.IntN(8) == 0 {
		owner = owners[w.IntN(len(owners))]
	}
	w.versions[topic+owner]++
	var sources []int32
	for s := range int32(4) {
		if w.IntN(4) > 0 {
			sources = append(sources, s)
		}
	}
	r := progressRecord(owner, w.versions[topic+owner], sources...)
	r.Topic = topic
	w.send(r, r.AppendJSON(nil))
}

// other is the rest of what there is: application instances, and ranges that are missed.
func (w *world) other() {
	r := &audit.Record{Owner: "c", Identity: audit.Identity{Tier: "client", Topic: w.topic(), Partition: audit.NoPartition, Instance: fmt.Sprint("app", w.IntN(3))}}
	switch w.IntN(3) {
	case 0:
		r.Kind = audit.KindHello
	case 1:
		r.Kind = audit.KindGoodbye
	case 2:
		r.Kind, r.Instance, r.Partition, r.Generation = audit.KindMissed, "", int32(w.IntN(2)), w.Int64N(3)
		r.Missed = &audit.Missed{From: 10 * r.Generation, To: 10*r.Generation + 5, Reason: audit.MissedRetention}
	}
	r.Version = w.next(r.IdentityKey())
	w.send(r, r.AppendJSON(nil))
}
