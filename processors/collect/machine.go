package collect

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/judge"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// A Machine collects one partition of the audit topic: it knows the newest
// version of each identity, and what has to be written to the table. Records may
// come repeated and in any order. Not safe for concurrent use.
//
// What is to be written is taken with Take, and Acked says that it has been
// acknowledged. In between, records may be applied, but nothing taken.
type Machine struct {
	o       MachineOptions
	entries map[string]*entry // by identity
	now     int64             // newest append time seen, Unix milliseconds
	next    int64             // offset after the last record applied; -1 before the first
	swept   int64             // when old entries were last looked for, by now
	bytes   int               // of pending values

	pending []*entry         // changed and not taken: the windows that verdicts are to be made of anew
	emits   []shards.Message // to be emitted again, not taken
	taken   []*entry
	stale   map[string]bool // keys that may be deleted once ownership is confirmed

	books *books
	judge *judge.Judge // nil: nothing is judged
	// loaded is what the table says beside windows, until all of it is known: the judge
	// wants it in the order in which it was said.
	loaded []said
	begun  bool
}

// MachineOptions of a Machine.
type MachineOptions struct {
	Owner      string // of the claim, in keys
	Start      int64  // the committed position, from which the topic is read; negative if there is none
	Partition  int32
	Partitions int32 // of the audit topic and of the table
	// Horizon is how long after its end a window is kept, by the log's time.
	Horizon time.Duration
	// Judge says how windows are judged, and Verdicts is the topic for what it says;
	// without a plan nothing is judged.
	Judge    judge.Options
	Verdicts string
}

// entry is what is known of an identity.
type entry struct {
	identity string
	row      table.Row // its JSON only while it is waiting to be written
	waiting  bool      // in pending
	ours     bool      // the owner's own key is in the table, or about to be
	former   []string  // keys of former owners in the table
	tells    []int32   // in a progress record: the partitions about which it tells
	law      uint64    // of a window record, audit's LawHash; 0 while it is only from the table
	spoke    bool      // a progress record is newer than what earlier sessions have read
	part     *judge.Part
	after    int // 1 of a standing, else 0: what is written in one go is written in this order
}

// An Outcome is what became of a record.
type Outcome string

// The outcomes, which are also the label of a metric.
const (
	Collected Outcome = "collected" // to be stored
	Known     Outcome = "known"     // not newer
	Moved     Outcome = "moved"     // to be emitted again, under its own key
	Beyond    Outcome = "beyond"    // too old to be kept
	Unknown   Outcome = "unknown"   // of a kind that this program does not know
	Ticked    Outcome = "ticked"    // says nothing but that time has passed
	Malformed Outcome = "malformed" // cannot be read, or cannot be written
)

// maxEntry bounds key and value of an entry, in bytes: the producer refuses more
// than 1 MiB for ever, and that would end the processor again and again.
const maxEntry = 1000 * 1000

// A Message is a record of the audit topic as it came.
type Message struct {
	Offset   int64
	Appended int64 // Unix milliseconds; not above 0 if unknown
	Key      []byte
	Value    []byte // Take hands it on: it must not be changed
}

// NewMachine makes a Machine that knows nothing; see Load.
func NewMachine(o MachineOptions) *Machine {
	return &Machine{o: o, entries: map[string]*entry{}, stale: map[string]bool{}, books: newBooks(), judge: newJudge(&o), next: -1}
}

// Load takes an entry of the table, before any record is applied. Entries may
// come in any order. An error says that the entry cannot be read: it is left
// alone, it may be a newer program's.
func (m *Machine) Load(key string, value []byte) error {
	identity, _, err := table.Cut(key)
	if err != nil {
		return err
	}
	row, err := table.Parse(value)
	if err != nil {
		return fmt.Errorf("%w (key %q)", err, key)
	}
	var progress *audit.Record
	if isProgress(identity) {
		if progress, err = audit.Decode(row.JSON); err != nil || progress.Progress == nil {
			return fmt.Errorf("collect table: key %q: no progress record: %w", key, err)
		}
	}
	m.books.now, m.books.loaded = row.Appended, max(m.books.loaded, row.Offset)
	switch {
	case progress != nil:
		m.books.loadedProgress(progress)
	case isKind(identity, audit.KindMissed):
		if r, err := audit.Decode(row.JSON); err == nil && r.Missed != nil {
			m.books.missed(r)
		}
	}
	m.now = max(m.now, row.Appended)
	e := m.entries[identity]
	if e == nil {
		e = &entry{identity: identity}
		m.entries[identity] = e
	}
	if len(e.former) == 0 || row.Newer(&e.row) {
		if err := m.loadJudged(e, &row, progress); err != nil {
			return fmt.Errorf("%w (key %q)", err, key)
		}
		m.found(e, row)
		e.tell(progress)
	}
	// Older ones stay until there is an entry of our own: a former owner who lags
	// behind may yet delete the newest one, believing in an older one of its own.
	e.former = append(e.former, key)
	return nil
}

// found notes the newest row of the table. One that lies ahead, where its writer
// could not commit, nobody answers for: a deletion that the coordinator allowed
// when the key had an older row may yet come for it. Since its record, and older
// ones before it, will be taken for known, it is stored anew, before anything is
// committed. What lies before the committed position has a row that stays.
func (m *Machine) found(e *entry, row table.Row) {
	m.bytes -= len(e.row.JSON)
	if row.Offset < m.o.Start {
		row.JSON = nil // the table keeps it
	}
	m.bytes += len(row.JSON)
	e.row = row
	switch ahead := row.JSON != nil; {
	case ahead && !e.waiting:
		m.pending = append(m.pending, e)
	case !ahead && e.waiting:
		m.pending = slices.DeleteFunc(m.pending, func(o *entry) bool { return o == e })
	}
	e.waiting = row.JSON != nil
}

// tell notes about which partitions a progress record tells; nil is none.
func (e *entry) tell(r *audit.Record) {
	e.tells = e.tells[:0]
	if r == nil {
		return
	}
	for i := range r.Progress.Sources {
		e.tells = append(e.tells, r.Progress.Sources[i].Partition)
	}
	if r.Absent() {
		e.tells = append(e.tells, noTopic)
	}
}

// noTopic stands for a partition where a progress record tells that there is no topic.
const noTopic int32 = -2

// Apply takes the next record of the topic. The error says why a record is
// Malformed.
func (m *Machine) Apply(msg Message) (Outcome, error) {
	m.begin()
	defer m.pass(msg.Offset)
	m.next = msg.Offset + 1
	m.now = max(m.now, msg.Appended)
	m.books.offset, m.books.now = msg.Offset, m.now
	m.sweep()
	if len(msg.Value) == 0 {
		return Malformed, errors.New("it has no value")
	}
	r, err := audit.Decode(msg.Value)
	if err != nil {
		return Malformed, err
	}
	if r.Kind == KindTick {
		return Ticked, nil
	}
	if !collects(r.Kind) {
		return Unknown, nil
	}
	row := table.Of(r, msg.Value, msg.Appended, msg.Offset)
	if row.Old(m.now, m.o.Horizon) {
		m.books.passed(r)
		return Beyond, nil
	}
	key, identity := r.Key(), r.IdentityKey()
	if size := len(key) + len(m.o.Owner) + len(msg.Value) + 64; size > maxEntry {
		m.books.passed(r)
		return Malformed, fmt.Errorf("with its key it has %d bytes, at most %d can be stored", size, maxEntry)
	}
	if string(msg.Key) != key || shards.PartitionOf(key, m.o.Partitions) != m.o.Partition {
		m.emits = append(m.emits, shards.Message{EmitKey: key, Emit: msg.Value})
		m.bytes += len(msg.Value)
		m.books.passed(r)
		return Moved, nil
	}
	e := m.entries[identity]
	if e == nil {
		e = &entry{identity: identity}
		m.entries[identity] = e
	} else if row.Version <= e.row.Version {
		m.books.superseded(e, r)
		return Known, nil
	}
	m.books.collected(e, r, e.ours || e.waiting)
	m.bytes += len(msg.Value) - len(e.row.JSON)
	e.row = row
	if !e.waiting {
		e.waiting = true
		m.pending = append(m.pending, e)
	}
	if r.Progress != nil {
		e.tell(r)
	}
	m.tellJudge(e, r, judge.Said{Appended: msg.Appended, Offset: msg.Offset})
	return Collected, nil
}

func collects(k audit.Kind) bool {
	switch k {
	case audit.KindWindow, audit.KindProgress, audit.KindHello, audit.KindGoodbye, audit.KindMissed:
		return true
	}
	return false
}

// Pending says how much waits to be taken: messages, and bytes of their values.
func (m *Machine) Pending() (messages, bytes int) { return len(m.pending) + len(m.emits), m.bytes }

// Followed is how many sources have sums that are known and followed.
func (m *Machine) Followed() int { return m.books.known }

// Imbalances are what the books have found since they were last asked for.
func (m *Machine) Imbalances() []Imbalance {
	found := m.books.found
	m.books.found = nil
	return found
}

// Deletable says how many keys wait to be deleted.
func (m *Machine) Deletable() int { return len(m.stale) }

// Len is the number of identities, Now the log's time in Unix milliseconds.
func (m *Machine) Len() int   { return len(m.entries) }
func (m *Machine) Now() int64 { return m.now }

// Next is the position in the topic: what is before it has been applied. It is
// -1 before the first record.
func (m *Machine) Next() int64 { return m.next }

// Changes are what has to be written.
type Changes struct {
	Writes []shards.Message
	// Deletes are keys that are no longer needed. They may go only if the session
	// is seen to own the partition after the last Acked.
	Deletes []string
	Next    int64 // position to commit when Writes are acknowledged; -1 for none
}

// Take gives all that waits. What is taken without being acknowledged is lost to
// the machine: the session must end then.
func (m *Machine) Take() Changes {
	c := Changes{Writes: m.emits, Next: m.next}
	// A standing says that windows without a verdict had no messages: verdicts come before it.
	slices.SortStableFunc(m.pending, func(a, b *entry) int { return a.after - b.after })
	for _, e := range m.pending {
		key := table.Key(e.identity, m.o.Owner)
		w := shards.Message{Key: key, Value: e.row.Append(make([]byte, 0, len(e.row.JSON)+48))}
		if table.Judged(key) {
			w.EmitTo, w.EmitKey, w.Emit = m.o.Verdicts, key, e.row.JSON
		}
		c.Writes = append(c.Writes, w)
		e.row.JSON, e.waiting, e.ours = nil, false, true
		delete(m.stale, key) // dropped before, and come again
	}
	c.Deletes = slices.Sorted(maps.Keys(m.stale))
	clear(m.stale)
	m.taken, m.pending, m.emits, m.bytes = m.pending, nil, nil, 0
	return c
}

// Acked says that the writes taken last have been acknowledged, and whether the
// keys were deleted too. Former owners' entries are no longer needed where there
// is one of our own.
func (m *Machine) Acked(c Changes, deleted bool) {
	if !deleted {
		m.discard(c.Deletes...)
	}
	for _, e := range m.taken {
		m.discard(e.former...)
		e.former = nil
	}
	m.taken = nil
}

func (m *Machine) discard(keys ...string) {
	for _, key := range keys {
		m.stale[key] = true
	}
}
