package collect

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

var (
	seeds     = flag.Uint64("seeds", 30, "seeds of the simulation to run")
	firstSeed = flag.Uint64("seed", 1, "first seed")
)

// TestSimulation runs sessions over one partition: they are ended at any point,
// go on writing as zombies what they had begun, and the table is compacted in any
// way that is legal. Whatever happens, the table ends with the newest record of
// every identity.
func TestSimulation(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		w := newWorld(seed)
		w.run()
		if err := w.check(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// world is the audit topic, the table, and who works on them.
type world struct {
	rng       *rand.Rand
	horizon   time.Duration
	log       []Message
	table     []entryWritten
	committed int64
	current   *worker
	zombies   []*worker
	owners    int
	clock     int64            // append time, Unix milliseconds
	version   map[string]int64 // by what a source is
}

type entryWritten struct {
	key   string
	value []byte // nil deletes
}

// worker is a session: a machine, and a flush that may be half written.
type worker struct {
	m      *Machine
	at     int64 // next offset to apply
	flight *flight
}

type flight struct {
	changes Changes
	deleted bool
	left    []shards.Message
}

const simEpoch = 1_700_000_400 // seconds, a multiple of 600

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), clock: simEpoch * 1000, version: map[string]int64{}}
	w.horizon = []time.Duration{48 * time.Hour, 3 * time.Hour}[w.rng.IntN(2)]
	return w
}

func (w *world) run() {
	w.takeOver()
	for range 400 {
		switch w.rng.IntN(20) {
		case 0, 1, 2, 3, 4:
			w.produce()
		case 5:
			w.takeOver()
		case 6:
			w.compact()
		case 7, 8:
			if n := len(w.zombies); n > 0 {
				w.act(w.zombies[w.rng.IntN(n)])
			}
		default:
			w.act(w.current)
		}
	}
	if w.rng.IntN(2) == 0 {
		w.takeOver()
	}
	w.settle()
	for _, z := range w.zombies { // the very last that may come
		w.write(z, 1<<30)
	}
	w.compact()
}

// settle has the current session read and write everything.
func (w *world) settle() {
	for range 4 {
		w.current.apply(w, 1<<30)
		w.write(w.current, 1<<30)
		w.flush(w.current)
		w.write(w.current, 1<<30)
	}
}

func (w *world) act(k *worker) {
	switch w.rng.IntN(3) {
	case 0:
		k.apply(w, 1+w.rng.IntN(10))
	case 1:
		w.flush(k)
	case 2:
		w.write(k, 1+w.rng.IntN(8))
	}
}

func (k *worker) apply(w *world, n int) {
	for ; n > 0 && k.at < int64(len(w.log)); n-- {
		_, _ = k.m.Apply(w.log[k.at])
		k.at++
	}
}

// flush begins one. The coordinator is asked now; what it allows may be written
// much later.
func (w *world) flush(k *worker) {
	if k.flight != nil {
		return
	}
	f := &flight{changes: k.m.Take()}
	f.left = append(f.left, f.changes.Writes...)
	if f.deleted = k == w.current && w.rng.IntN(4) > 0; f.deleted {
		for _, key := range f.changes.Deletes {
			f.left = append(f.left, shards.Message{Key: key, Delete: true})
		}
	}
	k.flight = f
}

// write lets so many messages of a flush arrive, and acknowledges it after the last.
func (w *world) write(k *worker, n int) {
	f := k.flight
	if f == nil {
		return
	}
	for ; n > 0 && len(f.left) > 0; n-- {
		switch m := f.left[0]; {
		case m.Emit != nil:
			w.append(m.EmitKey, m.Emit)
		case m.Delete:
			w.table = append(w.table, entryWritten{m.Key, nil})
		default:
			w.table = append(w.table, entryWritten{m.Key, m.Value})
		}
		f.left = f.left[1:]
	}
	if len(f.left) == 0 {
		k.flight = nil
		if k == w.current && f.changes.Next >= 0 {
			w.committed = f.changes.Next // a zombie's commit is refused
		}
		k.m.Acked(f.changes, f.deleted)
	}
}

// takeOver begins a new session; the old one dies or becomes a zombie.
func (w *world) takeOver() {
	if w.current != nil && w.rng.IntN(2) == 0 {
		w.zombies = append(w.zombies, w.current)
	}
	w.owners++
	k := &worker{at: w.committed, m: NewMachine(MachineOptions{Owner: fmt.Sprintf("s%d", w.owners), Partitions: 1, Horizon: w.horizon})}
	for key, value := range w.state() {
		if err := k.m.Load(key, value); err != nil {
			panic(err)
		}
	}
	w.current = k
}

func (w *world) state() map[string][]byte {
	s := map[string][]byte{}
	for _, e := range w.table {
		if e.value == nil {
			delete(s, e.key)
		} else {
			s[e.key] = e.value
		}
	}
	return s
}

// compact drops any entries that have a later one of the same key, and
// tombstones that are the only ones left of theirs.
func (w *world) compact() {
	last, before := map[string]int{}, map[string]int{}
	for i, e := range w.table {
		last[e.key] = i
	}
	var kept []entryWritten
	for i, e := range w.table {
		keep := w.rng.IntN(3) == 0
		if last[e.key] == i {
			keep = e.value != nil || before[e.key] > 0 || w.rng.IntN(2) == 0
		}
		if keep {
			before[e.key]++
			kept = append(kept, e)
		}
	}
	w.table = kept
}

func (w *world) append(key string, value []byte) {
	w.clock += w.rng.Int64N(120_000)
	m := Message{Offset: int64(len(w.log)), Appended: w.clock, Value: value}
	if key != "" {
		m.Key = []byte(key)
	}
	w.log = append(w.log, m)
}

// produce appends records of all sorts: new ones, repeated ones, late ones, ones
// without a key, ones that nobody can read.
func (w *world) produce() {
	for range 1 + w.rng.IntN(6) {
		switch w.rng.IntN(12) {
		case 0:
			if n := len(w.log); n > 0 { // again
				if old := w.log[w.rng.IntN(n)]; !isProgress(string(old.Key)) { // whose versions are not written again
					w.append(string(old.Key), old.Value)
				}
			}
		case 1:
			w.append("what", []byte("no record"))
		case 2:
			w.append("", original(fmt.Sprintf("u%d", w.rng.IntN(20)), w.clock))
		case 3, 4:
			w.progress()
		default:
			w.window()
		}
	}
}

func (w *world) window() {
	partition, start := w.rng.IntN(4), w.clock/1000/600*600-600*int64(w.rng.IntN(12))
	source := fmt.Sprint(partition, start)
	w.version[source] += int64(w.rng.IntN(2))
	version := max(0, w.version[source]-int64(w.rng.IntN(2))) // an older one comes late
	r := windowRecord(fmt.Sprintf("c%d", w.rng.IntN(3)), int32(partition), start, version)
	key := r.Key()
	if w.rng.IntN(10) == 0 {
		key = ""
	}
	w.append(key, r.AppendJSON(nil))
}

func (w *world) progress() {
	owner := fmt.Sprintf("c%d", w.rng.IntN(1+int(w.clock/1000-simEpoch)/1200)) // ever new ones
	w.version[owner]++
	r := progressRecord(owner, w.version[owner], int32(w.rng.IntN(4)), int32(w.rng.IntN(4)))
	w.append(r.Key(), r.AppendJSON(nil))
}

// check compares the table with the log.
func (w *world) check() error {
	held, err := w.held()
	if err != nil {
		return err
	}
	newest, spoke := map[string]*audit.Record{}, map[int32]string{}
	for _, m := range w.log {
		r, err := audit.Decode(m.Value)
		if err != nil {
			continue
		}
		if old := newest[r.IdentityKey()]; old == nil || r.Version > old.Version {
			newest[r.IdentityKey()] = r
		}
		if r.Progress != nil {
			for _, s := range r.Progress.Sources {
				spoke[s.Partition] = r.IdentityKey()
			}
		}
	}
	needed := map[string]bool{}
	for _, identity := range spoke {
		needed[identity] = true
	}
	for identity, r := range newest {
		if isProgress(identity) && !needed[identity] || r.Progress == nil && r.End()*1000 < w.clock-w.horizon.Milliseconds() {
			continue
		}
		row, ok := held[identity]
		if !ok {
			return fmt.Errorf("%s is not in the table, want version %d", identity, r.Version)
		}
		if row.Version != r.Version || row.Count != countOf(r) {
			return fmt.Errorf("%s has version %d and count %d, want %d and %d", identity, row.Version, row.Count, r.Version, countOf(r))
		}
	}
	return w.checkGone()
}

// checkGone has one more session tidy up, and looks for what should be gone.
func (w *world) checkGone() error {
	w.takeOver()
	w.clock += 2 * superseded.Milliseconds()
	w.append("what", []byte("time goes on"))
	for range 20 { // the coordinator does not always answer
		w.settle()
	}
	held, err := w.held()
	if err != nil {
		return err
	}
	for identity, row := range held {
		if row.Old(w.clock-superseded.Milliseconds(), w.horizon) { // looked for now and then
			return fmt.Errorf("%s is still there at %d, appended at %d", identity, w.clock, row.Appended)
		}
	}
	return nil
}

// held is the newest row of each identity, as readers see the table.
func (w *world) held() (map[string]table.Row, error) {
	held := map[string]table.Row{}
	for key, value := range w.state() {
		identity, _, err := table.Cut(key)
		if err != nil {
			return nil, err
		}
		row, err := table.Parse(value)
		if err != nil {
			return nil, err
		}
		if old, ok := held[identity]; !ok || row.Version > old.Version {
			held[identity] = row
		}
	}
	return held, nil
}

func countOf(r *audit.Record) uint64 {
	if r.Tally == nil {
		return 0
	}
	return r.Tally.Count
}

// windowRecord is a function of identity and version, and of who writes it.
func windowRecord(owner string, partition int32, start, version int64) *audit.Record {
	r := &audit.Record{
		Kind: audit.KindWindow, Owner: owner, Version: version,
		Identity: audit.Identity{Tier: "regional", Cluster: "c", Topic: "orders", Partition: partition, Window: audit.Window{Start: start, Size: 600}},
		Tally:    &audit.WindowTally{First: 0, Last: version},
	}
	r.Tally.Count = uint64(version) + 1
	return r
}

func progressRecord(owner string, version int64, partitions ...int32) *audit.Record {
	r := &audit.Record{
		Kind: audit.KindProgress, Owner: owner, Version: version,
		Identity: audit.Identity{Tier: "regional", Cluster: "c", Topic: "orders", Partition: audit.NoPartition, Instance: owner},
		Progress: &audit.Progress{Partitions: 4},
	}
	for _, p := range partitions {
		r.Progress.Sources = append(r.Progress.Sources, audit.SourceProgress{Partition: p, Next: version, LogStart: -1, End: -1, CaughtUp: audit.CaughtUpNo})
	}
	return r
}

// original is a record of the original Chaperone.
func original(uuid string, appended int64) []byte {
	start := appended / 1000 / 36000 * 36000 // one uuid, one window
	return fmt.Appendf(nil, `{"uuid":"%s-%d","timeBeginInSec":%d,"timeEndInSec":%d,"topicName":"orders","hostname":"h","tier":"t","datacenter":"d","totalBytes":10,"count":3}`,
		uuid, start, start, start+600)
}
