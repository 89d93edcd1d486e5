// Package reportertest has the suite that each audit.Reporter should pass. Run is for one
// whose other side takes what comes, Down for one whose other side does not.
package reportertest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

// soon is how long a Reporter may take to end when its context has ended.
const soon = 5 * time.Second

// Run holds Reporters to the contract. Each call of open makes one, and a function that
// gives what has arrived at its other side so far, in any order and as often as it came;
// what another Reporter has brought there may be among it.
func Run(t *testing.T, open func(t *testing.T) (r audit.Reporter, arrived func() []*audit.Record)) {
	t.Run("what is reported has arrived", func(t *testing.T) {
		r, arrived := open(t)
		records := Records(t.Name())
		report(t, r, records)
		has(t, arrived(), records)
	})
	t.Run("nothing to report is no error", func(t *testing.T) {
		r, _ := open(t)
		report(t, r, nil)
	})
	t.Run("the newest version holds, however often and in whatever order reports come", func(t *testing.T) {
		r, arrived := open(t)
		old, newest := Records(t.Name()), later(Records(t.Name()))
		for _, records := range [][]*audit.Record{old, newest, newest[:2], old, newest} {
			report(t, r, records)
		}
		has(t, arrived(), newest)
	})
	t.Run("many at a time arrive", func(t *testing.T) {
		r, arrived := open(t)
		var many []*audit.Record
		for i := range 200 {
			many = append(many, Records(fmt.Sprint(t.Name(), i))...)
		}
		report(t, r, many)
		has(t, arrived(), many)
	})
	t.Run("no record is kept after the return", func(t *testing.T) {
		r, arrived := open(t)
		records, same := Records(t.Name()), Records(t.Name())
		report(t, r, records)
		for _, record := range records { // the race detector sees who still reads
			record.Version, record.Host = 1<<40, "changed"
			if record.Tally != nil {
				record.Tally.Add(&audit.Event{Bytes: 1000, Latency: 50})
			}
			if record.Client != nil {
				record.Client.Attempts++
			}
			clear(record.Extra)
		}
		report(t, r, Records(t.Name()+" and another"))
		has(t, arrived(), same)
	})
	t.Run("a context that has ended ends it", func(t *testing.T) {
		r, arrived := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		records := Records(t.Name())
		if err := within(t, func() error { return r.Report(ctx, records) }); err == nil {
			has(t, arrived(), records) // it was fast enough
		}
		report(t, r, records) // and it is as good as before
		has(t, arrived(), records)
	})
	t.Run("a recorder closed by several at once has reported everything", func(t *testing.T) { recorder(t, open) })
}

// Down holds Reporters to the contract whose other side is away, hangs or refuses: they
// say so, never later than soon after their context has ended, and never that all is well.
func Down(t *testing.T, open func(t *testing.T) audit.Reporter) {
	r := open(t)
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if err := within(t, func() error { return r.Report(ctx, Records(t.Name())) }); err == nil {
			t.Error("what nobody has taken is said to be safe")
		}
	}
}

// recorder lets several count and close.
func recorder(t *testing.T, open func(t *testing.T) (audit.Reporter, func() []*audit.Record)) {
	const counters, each = 4, 1000
	r, arrived := open(t)
	rec, err := audit.NewRecorder(audit.Options{Tier: "suite", Reporter: r, Every: 5 * time.Millisecond, OnError: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	topic := name(t.Name())
	all := func(n int, do func()) {
		var wg sync.WaitGroup
		for range n {
			wg.Go(do)
		}
		wg.Wait()
	}
	all(counters, func() {
		for range each {
			rec.Topic(topic).Track(&audit.Passage{Value: []byte("v"), Time: time.Now().UnixMilli()})
		}
	})
	all(2, func() {
		if err := rec.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	total, ended := uint64(0), false
	for _, record := range newest(arrived()) {
		if record.Instance != rec.Instance() {
			continue
		}
		if record.Kind == audit.KindWindow {
			total += record.Tally.Count
		}
		ended = ended || record.Kind == audit.KindGoodbye && record.Client.Successes == counters*each
	}
	if total != counters*each || !ended {
		t.Errorf("%d of %d messages have arrived, goodbye %t", total, counters*each, ended)
	}
}

func report(t *testing.T, r audit.Reporter, records []*audit.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.Report(ctx, records); err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T, do func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(soon):
		t.Fatalf("it has not ended %s after its context", soon)
		return nil
	}
}

// newest keeps of each identity the highest version, as the audit does.
func newest(records []*audit.Record) map[string]*audit.Record {
	best := map[string]*audit.Record{}
	for _, r := range records {
		if old := best[r.IdentityKey()]; old == nil || old.Version < r.Version {
			best[r.IdentityKey()] = r
		}
	}
	return best
}

// has says which of the records are not, or not the newest, among those that arrived.
func has(t *testing.T, arrived, want []*audit.Record) {
	t.Helper()
	best, missing := newest(arrived), 0
	for _, w := range want {
		if missing > 3 {
			t.Fatal("and so on")
		}
		text := string(w.AppendJSON(nil))
		switch r := best[w.IdentityKey()]; {
		case r == nil:
			missing++
			t.Errorf("has not arrived: %s", text)
		case string(r.AppendJSON(nil)) != text:
			missing++
			t.Errorf("arrived as %s, was %s", r.AppendJSON(nil), text)
		}
	}
}

// name is a topic of its own.
func name(test string) string { return fmt.Sprintf("topic-%016x", audit.Hash(nil, []byte(test))) }

// Records are one of each kind that an application may report about a topic of its own,
// and one of the original Chaperone. Equal names give equal records.
func Records(test string) []*audit.Record {
	start := time.Now().Unix() / 86400 * 86400
	id := audit.Identity{Tier: "suite", Datacenter: "dc1", Topic: name(test), Partition: audit.NoPartition, Instance: "instance/1"}
	head := func(kind audit.Kind, version int64) *audit.Record {
		return &audit.Record{Kind: kind, Identity: id, Version: version, Owner: id.Instance, Host: "h",
			Client: &audit.ClientCount{Attempts: 4, Successes: 3, Failures: 1, Started: 1, Uncounted: 2}}
	}
	window := head(audit.KindWindow, 3)
	window.Window, window.Segment = audit.Window{Start: start, Size: 600}, 1
	window.Tally = &audit.WindowTally{First: -1, Last: -1, TimeBasis: audit.BasisHeader, LatencyBasis: audit.BasisClock, FingerprintMode: audit.FingerprintMode}
	for _, ms := range []int64{0, 20, 3000} {
		window.Tally.Add(&audit.Event{Bytes: 10, Latency: ms, Hash: audit.Hash([]byte("ключ"), []byte{byte(ms)})})
	}
	window.Extra = map[string]json.RawMessage{"newer": json.RawMessage(`{"field":[1,"ä"]}`)}
	progress := head(audit.KindProgress, 1)
	progress.Progress = &audit.Progress{Sources: []audit.SourceProgress{{Partition: audit.NoPartition, Segment: 1, Next: 3, Total: 3, Time: 5, LogStart: -1, End: -1, HighWatermark: -1, CaughtUp: audit.CaughtUpYes}}}
	original := &audit.Record{Kind: audit.KindWindow, Host: "h",
		Identity: audit.Identity{Tier: "suite", Datacenter: "dc1", Topic: id.Topic, Partition: audit.NoPartition, Window: audit.Window{Start: start, Size: 600}},
		Tally:    &audit.WindowTally{Tally: audit.Tally{Count: 5, Bytes: 50}, First: -1, Last: -1},
		Original: &audit.OriginalCount{UUID: "suite-" + id.Topic}}
	return []*audit.Record{head(audit.KindHello, 1), window, progress, head(audit.KindGoodbye, 4), original}
}

// later is what the same source says when it has counted on. A record of the original is
// never said anew.
func later(records []*audit.Record) []*audit.Record {
	for _, r := range records {
		if r.Original != nil {
			continue
		}
		r.Version += 10
		r.Client.Attempts++
		if r.Tally != nil {
			r.Tally.Add(&audit.Event{Bytes: 7, Latency: 100, Hash: 5})
		}
	}
	return records
}
