package count

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// recovered is a shard that has found a source's ledger of ten messages and its
// rows, and other things under the keys given.
func recovered(t *testing.T, others map[string]string) (*shard, audit.Source, error) {
	t.Helper()
	src := audit.Source{Cluster: "local", Topic: "orders", TopicID: audit.TopicID{1}, Partition: 3}
	c, _ := counter.Recover(counter.Options{Owner: "a", Windows: 4, Digest: "json"}, counter.Edges{Newest: 100}, nil)
	store := shards.NewStore()
	set := func(k counter.Key, value []byte) {
		if err := store.Set(counter.SourcePrefix(src)+k.String(), value); err != nil {
			t.Fatal(err)
		}
	}
	c.Acked(c.Flush(nil))
	c.Confirmed()
	for o := range int64(10) {
		c.Add(&counter.Event{Offset: o, Window: o % 2 * 600, Event: audit.Event{Hash: uint64(o) + 1}})
	}
	led := c.Flush(func(k counter.Key, r *counter.Row) { set(k, r.Append(nil)) })
	set(c.LedgerKey(), led.Append(nil))
	for key, value := range others {
		if err := store.Set(counter.SourcePrefix(src)+key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	s := &shard{p: &Processor{log: slog.New(slog.DiscardHandler)}, claim: &shards.Claim{Table: store}}
	return s, src, s.load()
}

func TestEntriesOfTheTable(t *testing.T) {
	options := counter.Options{Owner: "b", Windows: 4, Digest: "json"}
	edges := counter.Edges{Newest: 100}
	t.Run("are held once, and not decoded before their source is opened", func(t *testing.T) {
		s, src, err := recovered(t, nil)
		if err != nil || s.claim.Table.Len() != 0 || len(s.table[src]) != 3 {
			t.Fatalf("%v, %d left in the store, %d taken", err, s.claim.Table.Len(), len(s.table[src]))
		}
		if led, counted := s.newestLedger(src); led == nil || led.Next != 10 || !counted {
			t.Errorf("ledger %+v", led)
		}
		table, err := s.take(src)
		if err != nil {
			t.Fatal(err)
		}
		c, found := counter.Recover(options, edges, table)
		if found.Fresh || c.Next() != 10 || c.Len() != 2 || s.table[src] != nil {
			t.Errorf("found %+v, next %d, %d rows, %d entries kept", found, c.Next(), c.Len(), len(s.table[src]))
		}
	})
	t.Run("that are damaged are damage to their source alone, and are deleted in time", func(t *testing.T) {
		s, src, err := recovered(t, map[string]string{"0/0/0/a": "R\x01\x02"})
		if err != nil {
			t.Fatal(err)
		}
		table, err := s.take(src)
		if err != nil {
			t.Fatal(err)
		}
		c, found := counter.Recover(options, edges, table)
		if !errors.Is(found.Damaged, counter.ErrDamaged) || c.Stored() != 3 {
			t.Errorf("found %+v, %d entries known", found, c.Stored())
		}
	})
	t.Run("of a later format are not touched", func(t *testing.T) {
		if _, _, err := recovered(t, map[string]string{"0/0/1200/a": "R\x02..."}); err == nil {
			t.Error("taken")
		}
	})
}

func TestASourceThatIsBuriedLeavesItsLastLedger(t *testing.T) {
	s := unstored(t, 1, Options{Windows: 4})
	s.table, s.notes = map[audit.Source][]entry{}, map[audit.Source]map[string]time.Time{}
	x := s.list()[0]
	scattered(x, 10)
	if msgs := s.bury(x.Source); msgs != nil || s.sources[x.Source] == nil {
		t.Fatalf("buried before its last rows were stored: %v", msgs)
	}
	x.c.Acked(x.c.Flush(func(counter.Key, *counter.Row) {}))
	left := x.c.Keys()
	s.note(x.Source, x.prefix+goneKey+"a", []byte{2})
	msgs := s.bury(x.Source)
	if len(msgs) != len(left)-1+1 { // all but the ledger, and the note
		t.Errorf("%d of %d entries are deleted: %v", len(msgs), len(left)+1, msgs)
	}
	for _, m := range msgs {
		if !m.Delete || m.Key == x.prefix+x.c.LedgerKey().String() {
			t.Errorf("%+v", m)
		}
	}
	if !s.buried(x.Source) {
		t.Error("there is still something to be deleted")
	}
	// It comes back in the same session.
	table, err := s.take(x.Source)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := counter.Recover(counter.Options{Owner: "a", Windows: 4}, counter.Edges{Newest: 100}, table)
	if c.State().Generation != 1 || c.Next() != 10 {
		t.Errorf("begins generation %d at %d, want 1 after all that was counted, 10", c.State().Generation, c.Next())
	}
}
