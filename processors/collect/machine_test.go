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

func newMachine(owner string) *Machine {
	return NewMachine(MachineOptions{Owner: owner, Partitions: 1, Horizon: 48 * time.Hour})
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
// deletes now the entry that looks newest: it had begun one of its own.
func TestLateDeletionByAFormerOwnerLosesNothing(t *testing.T) {
	m := newMachine("me")
	r := windowRecord("c", 0, simEpoch, 7)
	load(t, m, "zombie", at(0), 0, windowRecord("c", 0, simEpoch, 5))
	newest := load(t, m, "before", at(1), 1, r)
	load(t, m, "zombie2", at(0), 0, windowRecord("c", 0, simEpoch, 6))
	if c := flush(m); len(c.Deletes) > 0 {
		t.Fatalf("a zombie's own entry is deleted, and nothing may be left: %q", c.Deletes)
	}
	// "before" could not commit past what it wrote, so the record comes again.
	if out := apply(t, m, 1, at(1), r); out != Collected {
		t.Fatalf("the record is %s, and %s may be gone", out, newest)
	}
	if c := flush(m); !slices.Equal(keys(c), []string{r.IdentityKey() + "/me"}) {
		t.Errorf("stored %q", keys(c))
	}
	if out := apply(t, m, 2, at(2), r); out != Known {
		t.Errorf("stored a second time in one session: %s", out)
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

func TestRecordsWithoutTheirKeyAreEmittedUnderIt(t *testing.T) {
	r := windowRecord("c", 0, simEpoch, 1)
	value := r.AppendJSON(nil)
	old := original("u", at(0))
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
