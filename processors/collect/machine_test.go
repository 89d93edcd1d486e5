package collect

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

const minute = int64(60_000)

// at is a moment of the log's time, minutes after an epoch.
func at(minutes int64) int64 { return simEpoch*1000 + minutes*minute }

// newMachine knows of everything that is loaded that it was committed.
func newMachine(owner string) *Machine { return startedAt(owner, 1000) }

func startedAt(owner string, start int64) *Machine {
	return NewMachine(MachineOptions{Owner: owner, Start: start, Partitions: 1, Horizon: 48 * time.Hour})
}

// apply gives the machine a record under its own key.
func apply(t *testing.T, m *Machine, offset, appended int64, r *audit.Record) Outcome {
	t.Helper()
	out, err := m.Apply(Message{Offset: offset, Appended: appended, Key: []byte(r.Key()), Value: r.AppendJSON(nil)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// flush takes and acknowledges everything, deletions too.
func flush(m *Machine) Changes {
	c := m.Take()
	m.Acked(c, true)
	return c
}

func keys(c Changes) (keys []string) {
	for _, w := range c.Writes {
		keys = append(keys, w.Key)
	}
	return keys
}

func load(t *testing.T, m *Machine, owner string, appended, offset int64, r *audit.Record) string {
	t.Helper()
	row := table.Of(r, r.AppendJSON(nil), appended, offset)
	key := table.Key(r.IdentityKey(), owner)
	if err := m.Load(key, row.Append(nil)); err != nil {
		t.Fatal(err)
	}
	return key
}

func TestOnlyTheNewestVersionIsStored(t *testing.T) {
	m := newMachine("me")
	r1, r2, r3 := windowRecord("c", 0, simEpoch, 1), windowRecord("c", 0, simEpoch, 2), windowRecord("d", 0, simEpoch, 3)
	for i, r := range []*audit.Record{r1, r3, r2, r3} {
		want := []Outcome{Collected, Collected, Known, Known}[i]
		if out := apply(t, m, int64(i), at(1), r); out != want {
			t.Errorf("record %d is %s, want %s", i, out, want)
		}
	}
	c := flush(m)
	if len(c.Writes) != 1 || c.Writes[0].Key != r3.IdentityKey()+"/me" || c.Next != 4 {
		t.Fatalf("writes %v, next %d", keys(c), c.Next)
	}
	row, err := table.Parse(c.Writes[0].Value)
	if err != nil || row.Version != 3 || row.Offset != 1 || row.Appended != at(1) || string(row.JSON) != string(r3.AppendJSON(nil)) {
		t.Errorf("row %+v, %v", row, err)
	}
	if n, size := m.Pending(); n != 0 || size != 0 {
		t.Errorf("%d changes of %d bytes are left", n, size)
	}
}

func TestFormerOwnersEntriesGoAfterOurOwnIsAcknowledged(t *testing.T) {
	m := newMachine("me")
	old := load(t, m, "a", at(0), 0, windowRecord("c", 0, simEpoch, 1))
	newer := load(t, m, "b", at(1), 1, windowRecord("c", 0, simEpoch, 2))
	if c := flush(m); len(c.Writes)+len(c.Deletes) > 0 {
		t.Fatalf("before there is an entry of our own: %+v", c)
	}
	apply(t, m, 5, at(2), windowRecord("c", 0, simEpoch, 3))
	if c := flush(m); len(c.Writes) != 1 || len(c.Deletes) > 0 {
		t.Fatalf("before our own is acknowledged: %+v", c)
	}
	c := m.Take()
	if !slices.Equal(c.Deletes, []string{old, newer}) {
		t.Fatalf("deleted %q", c.Deletes)
	}
	m.Acked(c, false)
	if c := m.Take(); len(c.Deletes) != 2 {
		t.Errorf("what the coordinator did not confirm is not tried again: %q", c.Deletes)
	}
}

// A former owner had asked the coordinator, was allowed to delete, was paused, and
// deletes now the entry that looks newest: when it asked, that had an older row.
// So "before" could not commit past it, and it is stored anew before we do.
func TestLateDeletionByAFormerOwnerLosesNothing(t *testing.T) {
	m := startedAt("me", 1)
	r := windowRecord("c", 0, simEpoch, 7)
	load(t, m, "zombie", at(0), 0, windowRecord("c", 0, simEpoch, 5))
	newest := load(t, m, "before", at(1), 3, r)
	load(t, m, "zombie2", at(0), 0, windowRecord("c", 0, simEpoch, 6))
	if out := apply(t, m, 1, at(1), windowRecord("c", 0, simEpoch, 6)); out != Known {
		t.Errorf("an older record is %s", out)
	}
	c := m.Take()
	if !slices.Equal(keys(c), []string{r.IdentityKey() + "/me"}) || c.Next != 2 || len(c.Deletes) > 0 {
		t.Fatalf("stored %q and deleted %q before offset %d is committed, and %s may be gone", keys(c), c.Deletes, c.Next, newest)
	}
	if row, err := table.Parse(c.Writes[0].Value); err != nil || row.Version != 7 || row.Offset != 3 || string(row.JSON) != string(r.AppendJSON(nil)) {
		t.Errorf("stored %+v, %v", row, err)
	}
	m.Acked(c, false)
	if out := apply(t, m, 3, at(1), r); out != Known {
		t.Errorf("when its record comes again it is %s", out)
	}
	if c := flush(m); len(c.Writes) > 0 || len(c.Deletes) != 3 {
		t.Errorf("stored %q, deleted %q", keys(c), c.Deletes)
	}
}

func TestWhatWasCommittedIsNotStoredAnew(t *testing.T) {
	newer, older := windowRecord("c", 0, simEpoch, 7), windowRecord("c", 0, simEpoch, 6)
	for name, order := range map[string][]int{"the one ahead first": {0, 1}, "the one ahead last": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			m := startedAt("me", 10)
			for _, i := range order {
				if i == 0 {
					load(t, m, "a", at(2), 12, older) // said again, and read by one who did not know better
				} else {
					load(t, m, "b", at(1), 9, newer)
				}
			}
			if n, size := m.Pending(); n != 0 || size != 0 {
				t.Errorf("%d changes of %d bytes wait", n, size)
			}
			if c := m.Take(); len(c.Writes)+len(c.Deletes) > 0 {
				t.Errorf("stored %q, deleted %q", keys(c), c.Deletes)
			}
		})
	}
}

func TestWhatIsBeyondTheHorizonIsDropped(t *testing.T) {
	m := newMachine("me")
	old, young := windowRecord("c", 0, simEpoch, 1), windowRecord("c", 0, simEpoch+3600, 1)
	former := load(t, m, "a", at(0), 0, windowRecord("c", 1, simEpoch, 1))
	apply(t, m, 0, at(1), old)
	flush(m)
	apply(t, m, 1, at(48*60+15), young) // the older ones ended 48 h 5 min before
	if out := apply(t, m, 2, at(48*60+15), old); out != Beyond {
		t.Errorf("a record that comes later is %s", out)
	}
	c := flush(m)
	want := []string{old.IdentityKey() + "/me", former}
	if !slices.Equal(c.Deletes, want) {
		t.Errorf("deleted %q, want %q", c.Deletes, want)
	}
	if m.Len() != 1 {
		t.Errorf("%d identities in memory, want 1", m.Len())
	}
}

func TestAChangeThatBecomesOldBeforeItIsStoredIsForgotten(t *testing.T) {
	m := newMachine("me")
	apply(t, m, 0, at(1), windowRecord("c", 0, simEpoch, 1))
	young := windowRecord("c", 0, simEpoch+48*3600, 1)
	apply(t, m, 1, at(48*60+15), young)
	if n, size := m.Pending(); n != 1 || size != len(young.AppendJSON(nil)) {
		t.Errorf("%d changes of %d bytes wait, want the young one", n, size)
	}
	if c := flush(m); !slices.Equal(keys(c), []string{young.IdentityKey() + "/me"}) || len(c.Deletes) > 0 {
		t.Errorf("writes %q, deletes %q", keys(c), c.Deletes)
	}
}

func TestSupersededProgressGoes(t *testing.T) {
	m := newMachine("me")
	gone, half, now := progressRecord("c1", 1, 0, 1), progressRecord("c2", 1, 2, 3), progressRecord("c3", 1, 0, 1, 2)
	// Loaded out of order: who spoke last is told by offsets.
	load(t, m, "a", at(2), 30, now)
	first := load(t, m, "a", at(0), 10, gone)
	load(t, m, "a", at(1), 20, half)
	apply(t, m, 40, at(9), windowRecord("c", 0, simEpoch, 1))
	if c := flush(m); len(c.Deletes) > 0 {
		t.Fatalf("within the time for handing over %q are deleted", c.Deletes)
	}
	apply(t, m, 41, at(30), windowRecord("c", 0, simEpoch, 2))
	if c := flush(m); !slices.Equal(c.Deletes, []string{first}) {
		t.Fatalf("deleted %q, want %q alone", c.Deletes, first)
	}
	if out := apply(t, m, 42, at(31), progressRecord("c1", 2, 0)); out != Collected {
		t.Errorf("when it speaks again, that is %s", out)
	}
	if c := flush(m); len(c.Writes) != 1 || len(c.Deletes) > 0 {
		t.Errorf("%+v", c)
	}
}

// What a session said of a source some time ago does not count any more when its
// newest record leaves the source out: readers do not see it either.
func TestProgressIsSupersededOnlyByWhatIsSaidNow(t *testing.T) {
	older, newer, other := progressRecord("c1", 1, 0), progressRecord("c1", 2, 1), progressRecord("c2", 1, 0)
	for name, order := range map[string][]int{"the older first": {0, 1, 2}, "the newer first": {1, 0, 2}, "the other first": {2, 0, 1}} {
		t.Run(name, func(t *testing.T) {
			m := newMachine("me")
			for _, i := range order {
				switch i {
				case 0:
					load(t, m, "a", at(0), 10, older)
				case 1:
					load(t, m, "b", at(2), 30, newer)
				case 2:
					load(t, m, "b", at(1), 20, other)
				}
			}
			apply(t, m, 40, at(30), windowRecord("c", 0, simEpoch, 1))
			if c := flush(m); len(c.Deletes) > 0 {
				t.Errorf("deleted %q, and c2 has the last word on source 0, c1 on source 1", c.Deletes)
			}
		})
	}
}

// When something was said decides how long it is kept and, of progress, what it
// proves. To say it again does not change that, whichever of the two is in the
// table, in whatever order, or still to be read.
func TestARepetitionDoesNotMakeYoung(t *testing.T) {
	r := progressRecord("c1", 1, 0)
	first := func(t *testing.T, m *Machine) { load(t, m, "a", at(0), 10, r) }
	again := func(t *testing.T, m *Machine) { load(t, m, "b", at(60), 20, r) }
	for name, entries := range map[string][]func(*testing.T, *Machine){"the first one is in the table": {first}, "both are": {first, again}, "and the other way round": {again, first}} {
		t.Run(name, func(t *testing.T) {
			m := startedAt("me", 5)
			for _, e := range entries {
				e(t, m)
			}
			if out := apply(t, m, 30, at(90), r); out != Known {
				t.Fatalf("it is %s", out)
			}
			row, err := table.Parse(flush(m).Writes[0].Value)
			if err != nil || row.Offset != 10 || row.Appended != at(0) {
				t.Errorf("stored as said at offset %d, %d; %v", row.Offset, row.Appended, err)
			}
		})
	}
}

func TestRecordsWithoutTheirKeyAreEmittedUnderIt(t *testing.T) {
	r := windowRecord("c", 0, simEpoch, 1)
	value := r.AppendJSON(nil)
	old := original("orders", "u", at(0))
	decoded, err := audit.Decode(old)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key, value []byte
		want       string
	}{
		"no key":                       {nil, value, r.Key()},
		"another key":                  {[]byte("orders"), value, r.Key()},
		"a record of the original":     {nil, old, decoded.Key()},
		"another owner's key for ours": {[]byte(r.IdentityKey() + "/other"), value, r.Key()},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine("me")
			out, err := m.Apply(Message{Offset: 0, Appended: at(1), Key: c.key, Value: c.value})
			if out != Moved || err != nil {
				t.Fatalf("%s, %v", out, err)
			}
			ch := flush(m)
			if len(ch.Writes) != 1 || ch.Writes[0].EmitKey != c.want || string(ch.Writes[0].Emit) != string(c.value) || ch.Writes[0].Value != nil {
				t.Fatalf("writes %+v", ch.Writes)
			}
			if out, err := m.Apply(Message{Offset: 1, Appended: at(1), Key: []byte(ch.Writes[0].EmitKey), Value: ch.Writes[0].Emit}); out != Collected || err != nil {
				t.Errorf("when it comes back it is %s, %v", out, err)
			}
		})
	}
	t.Run("the wrong partition", func(t *testing.T) {
		right := shards.PartitionOf(r.Key(), 8)
		for p := range int32(8) {
			m := NewMachine(MachineOptions{Owner: "me", Partition: p, Partitions: 8, Horizon: time.Hour})
			want := Moved
			if p == right {
				want = Collected
			}
			if out := apply(t, m, 0, at(1), r); out != want {
				t.Errorf("in partition %d it is %s", p, out)
			}
		}
	})
}

func TestWhatCannotBeCollectedIsPassedOver(t *testing.T) {
	huge := windowRecord("c", 0, simEpoch, 1)
	huge.Host = strings.Repeat("h", maxEntry)
	for name, c := range map[string]struct {
		value string
		want  Outcome
	}{
		"no value":                 {"", Malformed},
		"no JSON":                  {"{", Malformed},
		"an invalid record":        {`{"v":1,"kind":"window"}`, Malformed},
		"a newer format":           {`{"v":99,"kind":"window"}`, Malformed},
		"too large for the table":  {string(huge.AppendJSON(nil)), Malformed},
		"a kind that is not known": {`{"v":1,"kind":"forecast","x":1}`, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine("me")
			out, err := m.Apply(Message{Offset: 8, Appended: at(1), Key: []byte(huge.Key()), Value: []byte(c.value)})
			if out != c.want || (err != nil) != (c.want == Malformed) {
				t.Errorf("%s, %v, want %s", out, err, c.want)
			}
			if ch := flush(m); len(ch.Writes) > 0 || ch.Next != 9 {
				t.Errorf("writes %v, next %d, want none and 9", keys(ch), ch.Next)
			}
		})
	}
}

func TestEntriesThatCannotBeReadAreLeftAlone(t *testing.T) {
	m := newMachine("me")
	r := windowRecord("c", 0, simEpoch, 1)
	for key, value := range map[string]string{r.IdentityKey() + "/x": "\xffnewer", "what": "{}"} {
		if err := m.Load(key, []byte(value)); err == nil {
			t.Errorf("%q = %q is taken", key, value)
		}
	}
	apply(t, m, 0, at(1), r)
	flush(m)
	if c := flush(m); len(c.Deletes) > 0 {
		t.Errorf("deleted %q", c.Deletes)
	}
}

func BenchmarkApply(b *testing.B) {
	m := newMachine("me")
	var msgs []Message
	for i := range int64(1000) {
		r := windowRecord("c", int32(i), simEpoch, i)
		for ms := range int64(100) {
			r.Tally.Add(&audit.Event{Latency: ms * 10})
		}
		r.Tally.FingerprintMode = audit.FingerprintMode
		msgs = append(msgs, Message{Appended: at(1), Key: []byte(r.Key()), Value: r.AppendJSON(nil)})
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		msg := msgs[i%len(msgs)]
		msg.Offset = int64(i)
		if _, err := m.Apply(msg); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 0 {
			flush(m)
		}
	}
}

// That a cluster does not have a topic is kept for as long as nobody says it anew.
func TestAnAbsenceIsSupersededByTheNextOne(t *testing.T) {
	m := newMachine("me")
	absent := func(owner string, version int64) *audit.Record {
		r := progressRecord(owner, version)
		r.Progress.Partitions = 0
		return r
	}
	apply(t, m, 0, at(0), absent("first", 1))
	apply(t, m, 1, at(1), absent("first", 2))
	counted := progressRecord("second", 1, 0)
	counted.TopicID = audit.TopicID{1}
	apply(t, m, 2, at(30), counted)
	flush(m)
	apply(t, m, 3, at(60), windowRecord("c", 0, simEpoch, 1))
	if c := flush(m); len(c.Deletes) > 0 {
		t.Errorf("deleted %q", c.Deletes)
	}
	apply(t, m, 4, at(61), absent("third", 1))
	apply(t, m, 5, at(90), windowRecord("c", 1, simEpoch, 1))
	if c := flush(m); len(c.Deletes) != 1 || !strings.Contains(c.Deletes[0], "first") {
		t.Errorf("deleted %q", c.Deletes)
	}
	if found := m.Imbalances(); len(found) > 0 {
		t.Error(found)
	}
}

// What an application instance says of itself is superseded by nobody else: its last
// word is kept until it is beyond the horizon, so that one that vanished is known.
func TestInstancesDoNotSupersedeEachOther(t *testing.T) {
	m := newMachine("me")
	first, second := progressRecord("app-1", 1, audit.NoPartition), progressRecord("app-2", 1, audit.NoPartition)
	for i, r := range []*audit.Record{first, second} {
		r.Client = &audit.ClientCount{Attempts: 1}
		if out := apply(t, m, int64(i), at(int64(i)), r); out != Collected {
			t.Fatalf("progress of an instance is %s", out)
		}
	}
	flush(m)
	apply(t, m, 10, at(60), windowRecord("c", 0, simEpoch, 1))
	if c := flush(m); len(c.Deletes) > 0 {
		t.Errorf("deleted %q", c.Deletes)
	}
	apply(t, m, 11, at(49*60), windowRecord("c", 0, simEpoch+48*3600, 1))
	if c := flush(m); len(c.Deletes) < 2 {
		t.Errorf("after the horizon only %q are deleted", c.Deletes)
	}
}
