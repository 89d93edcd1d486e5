package views

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/query"
)

const (
	epoch      = 1_700_000_400 // seconds, a multiple of 600
	partitions = 4
)

func newSources(detail time.Duration) *Sources { return New(options(detail)) }

func newVerdicts(detail time.Duration) *Verdicts { return NewVerdicts(options(detail)) }

func options(detail time.Duration) Options {
	return Options{Topology: processors.DefaultTopology(), Log: slog.New(slog.DiscardHandler), Health: &health.Registry{}, Metrics: prometheus.NewRegistry(), Detail: detail}
}

// filled gives Sources with a replica that is fed by put.
func filled(t *testing.T, detail time.Duration) (s *Sources, put func(owner string, minutes int64, r *audit.Record)) {
	t.Helper()
	s = newSources(detail)
	rep := newReplica(detail, 0)
	for p := range int32(partitions) {
		if _, err := rep.build("", p); err != nil {
			t.Fatal(err)
		}
	}
	s.current.Store(rep)
	offset := int64(0)
	return s, func(owner string, minutes int64, r *audit.Record) {
		t.Helper()
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		offset++
		row := table.Of(r, r.AppendJSON(nil), (epoch+60*minutes)*1000, offset)
		key := table.Key(r.IdentityKey(), owner)
		if err := rep.update(nil, rep.partitions()[shards.PartitionOf(key, partitions)], key, row.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
}

func windowOf(topic string, partition int32, start int64, generation, base, version int64) *audit.Record {
	r := &audit.Record{
		Kind: audit.KindWindow, Version: version, Base: base, Owner: "counter",
		Identity: audit.Identity{Tier: "regional", Datacenter: "-", Cluster: "c/1", Topic: topic, Partition: partition, Generation: generation, Window: audit.Window{Start: start, Size: 600}},
		Tally:    &audit.WindowTally{First: 0, Last: version},
	}
	r.Tally.Count = uint64(version) + 1
	return r
}

func count(t *testing.T, s *Sources, topic string, from, to int64) (n uint64) {
	t.Helper()
	rows, err := s.Windows(t.Context(), query.Windows{Topic: topic, From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		n += r.Count
	}
	return n
}

func TestTheHighestVersionOfAllOwnersCounts(t *testing.T) {
	s, put := filled(t, time.Hour)
	put("b", 1, windowOf("orders", 0, epoch, 0, 0, 6))
	put("a", 2, windowOf("orders", 0, epoch, 0, 0, 9))
	put("c", 3, windowOf("orders", 0, epoch, 0, 0, 2))
	put("a", 3, windowOf("orders", 1, epoch, 0, 0, 0))
	put("a", 3, windowOf("orders2", 1, epoch, 0, 0, 100))
	if n := count(t, s, "orders", epoch, epoch+600); n != 10+1 {
		t.Errorf("counted %d, want 11", n)
	}
}

// That a cluster does not have a topic is progress about no source.
func TestATopicThatIsAbsentHasNoSources(t *testing.T) {
	s, put := filled(t, time.Hour)
	r := windowOf("orders", audit.NoPartition, 0, 0, 0, 1)
	r.Kind, r.Window, r.Tally, r.Instance, r.Progress = audit.KindProgress, audit.Window{}, nil, "counter", &audit.Progress{AskedAfter: 1}
	if err := r.Validate(); err != nil || !r.Absent() {
		t.Fatal(r, err)
	}
	put("a", 2, r)
	for _, topic := range []string{"orders", ""} {
		if list, err := s.Progress(t.Context(), topic); err != nil || len(list) > 0 {
			t.Errorf("progress %+v, %v", list, err)
		}
	}
	if list, err := s.Instances(t.Context(), ""); err != nil || len(list) > 0 {
		t.Errorf("instances %+v, %v", list, err)
	}
}

// Two sessions of the collecting processor have stored the same version, which
// had been sent twice. The view takes the one that the processor goes by.
func TestOfEqualVersionsTheFirstOneSaidCounts(t *testing.T) {
	r := windowOf("orders", audit.NoPartition, 0, 0, 0, 1)
	r.Kind, r.Window, r.Tally, r.Instance = audit.KindProgress, audit.Window{}, nil, "counter"
	r.Progress = &audit.Progress{Partitions: 1, Sources: []audit.SourceProgress{{CaughtUp: audit.CaughtUpNo}}}
	for name, owners := range map[string][2]string{"in order of keys": {"a", "b"}, "against it": {"b", "a"}} {
		t.Run(name, func(t *testing.T) {
			s, put := filled(t, time.Hour)
			put(owners[0], 1, r)
			put(owners[1], 5, r)
			list, err := s.Progress(t.Context(), "orders")
			if want := time.Unix(epoch+60, 0); err != nil || len(list) != 1 || !list[0].AsOf.Equal(want) {
				t.Errorf("progress %+v, %v, want as of %s", list, err, want)
			}
		})
	}
}

func TestABaseCountsFromOutsideTheTimeAskedFor(t *testing.T) {
	t.Run("said by a window", func(t *testing.T) {
		s, put := filled(t, time.Hour)
		put("a", 1, windowOf("orders", 0, epoch, 5, 0, 6))
		put("a", 1, windowOf("orders", 0, epoch+600, 7, 7, 6))
		if n := count(t, s, "orders", epoch, epoch+600); n != 0 {
			t.Errorf("counted %d of a generation that a recount has replaced", n)
		}
	})
	t.Run("said by progress", func(t *testing.T) {
		s, put := filled(t, time.Hour)
		put("a", 1, windowOf("orders", 0, epoch, 5, 0, 6))
		r := windowOf("orders", audit.NoPartition, 0, 0, 0, 1)
		r.Kind, r.Window, r.Tally, r.Instance = audit.KindProgress, audit.Window{}, nil, "counter"
		r.Progress = &audit.Progress{Partitions: 1, Sources: []audit.SourceProgress{{Generation: 7, Base: 7, CaughtUp: audit.CaughtUpNo}}}
		put("a", 2, r)
		if n := count(t, s, "orders", epoch, epoch+600); n != 0 {
			t.Errorf("counted %d of a generation that a recount has replaced", n)
		}
		if topics, err := s.Topics(t.Context(), epoch, epoch+600); err != nil || len(topics) != 0 {
			t.Errorf("topics %+v, %v, want none", topics, err)
		}
	})
}

func TestWindowsBeyondDetailAreDropped(t *testing.T) {
	s, put := filled(t, time.Hour)
	put("a", 10, windowOf("orders", 0, epoch, 0, 0, 1))
	put("a", 20, windowOf("orders", 0, epoch+600, 0, 0, 1))
	rep := s.current.Load()
	if h := s.Horizon(); h != epoch+20*60-3600 {
		t.Errorf("horizon %d", h)
	}
	put("a", 10+60+15, windowOf("orders", 0, epoch+4200, 0, 0, 1)) // the first ended 75 min before, the second 65
	rep.sweep()
	if n, _ := rep.size(); n != 2 {
		t.Errorf("%d rows are held, want those within an hour and the slack", n)
	}
	if h := s.Horizon(); h != epoch+85*60-3600 || !s.AsOf().Equal(time.Unix(epoch+85*60, 0)) {
		t.Errorf("horizon %d, as of %s", h, s.AsOf())
	}
	put("b", 86, windowOf("orders", 0, epoch, 0, 0, 5))
	if n, _ := rep.size(); n != 2 {
		t.Errorf("an old window is taken in again: %d rows", n)
	}
}

func TestDeletedEntriesAreGone(t *testing.T) {
	s, put := filled(t, time.Hour)
	r := windowOf("orders", 0, epoch, 0, 0, 1)
	put("a", 1, r)
	rep, key := s.current.Load(), table.Key(r.IdentityKey(), "a")
	if err := rep.update(nil, rep.partitions()[shards.PartitionOf(key, partitions)], key, nil); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "orders", epoch, epoch+600); n != 0 {
		t.Errorf("counted %d", n)
	}
}

func TestEntriesOfAnotherFormatAreCounted(t *testing.T) {
	s, _ := filled(t, time.Hour)
	rep := s.current.Load()
	if err := rep.update(nil, rep.partitions()[0], "orders/-/window/0/600/x/a", []byte("\xffnewer")); err != nil {
		t.Fatal(err)
	}
	if rep.unread.Load() != 1 {
		t.Error("an entry that cannot be read goes unnoticed")
	}
}

func TestBeforeTheTableIsReadAnswersAreNotAvailable(t *testing.T) {
	s := newSources(0)
	if s.Ready() || s.Horizon() != 0 || !s.AsOf().IsZero() {
		t.Error("it claims to know something")
	}
	_, windows := s.Windows(t.Context(), query.Windows{Topic: "orders", To: 1})
	_, topics := s.Topics(t.Context(), 0, 1)
	_, progress := s.Progress(t.Context(), "")
	_, missed := s.Missed(t.Context(), "")
	for i, err := range []error{windows, topics, progress, missed} {
		if !errors.Is(err, query.ErrUnavailable) {
			t.Errorf("question %d: %v", i, err)
		}
	}
}

func TestALongQuestionEndsWithItsContext(t *testing.T) {
	s, put := filled(t, 1000*time.Hour)
	for i := range int64(3000) {
		put("a", 1, windowOf("orders", int32(i), epoch, 0, 0, 1))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Windows(ctx, query.Windows{Topic: "orders", From: epoch, To: epoch + 600}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// The short cuts (outlines instead of records, rows not decoded) must not change
// an answer.
func TestAnswersEqualThoseFromAllRecords(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 1))
	s, put := filled(t, 1000*time.Hour)
	var all []*audit.Record
	for i := range 400 {
		topic := []string{"orders", "a/b", "-", "%2F"}[rng.IntN(4)]
		r := windowOf(topic, int32(rng.IntN(3)), epoch+600*rng.Int64N(5), rng.Int64N(3), 0, rng.Int64N(50))
		if r.Generation == 2 && r.Partition == 1 { // a base stays, so the newest version has it
			r.Base = 2
		}
		if i%50 == 0 {
			r = &audit.Record{
				Kind: audit.KindWindow, Identity: audit.Identity{Topic: topic, Tier: "t", Partition: audit.NoPartition, Window: r.Window},
				Original: &audit.OriginalCount{UUID: fmt.Sprint("u", i)}, Tally: &audit.WindowTally{Tally: audit.Tally{Count: 3}, First: -1, Last: -1},
			}
		}
		put(fmt.Sprint("s", rng.IntN(3), i), 1, r)
		all = append(all, r)
	}
	each := func(yield func(*audit.Record) bool) {
		for _, r := range all {
			if !yield(r) {
				return
			}
		}
	}
	from, to := int64(epoch+600), int64(epoch+600*4)
	got, err := s.Topics(t.Context(), from, to)
	if want := query.GroupTopics(from, to, each); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("seed %d: topics\n%+v, %v\nwant\n%+v", seed, got, err, want)
	}
	for _, topic := range []string{"orders", "a/b", "-", "%2F", "other"} {
		q := query.Windows{Topic: topic, From: from, To: to, By: []query.Dimension{query.ByPartition}}
		got, err := s.Windows(t.Context(), q)
		if want := query.Group(q, each); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d: windows of %s\n%+v, %v\nwant\n%+v", seed, topic, got, err, want)
		}
	}
}
