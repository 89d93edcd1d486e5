package views

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/query"
)

// heard gives Verdicts with a replica that is told by say what an owner has said; nil of a
// verdict or standing deletes the key.
func heard(t testing.TB, detail time.Duration) (v *Verdicts, say func(owner, key string, value []byte)) {
	t.Helper()
	v = newVerdicts(detail)
	rep := newVerdictsReplica(detail, 0)
	for p := range int32(partitions) {
		if _, err := rep.build("", p); err != nil {
			t.Fatal(err)
		}
	}
	v.current.Store(rep)
	return v, func(owner, key string, value []byte) {
		t.Helper()
		key = table.Key(key, owner)
		if err := rep.update(nil, rep.partitions()[shards.PartitionOf(key, partitions)], key, value); err != nil {
			t.Fatal(err)
		}
	}
}

func verdictOf(topic string, start, version int64, findings ...compare.Finding) *compare.Verdict {
	return &compare.Verdict{
		Topic: topic, Start: start, Size: 600, Pipeline: "orders", State: compare.Final, Kind: compare.Gravest(findings), Findings: findings,
		Tiers:  []compare.Count{{Tier: "regional", Messages: 10, Counted: true}, {Tier: "aggregate", Messages: 10, Counted: true}},
		Judged: (start + 720) * 1000, Version: version, Digest: "d",
	}
}

func encoded(t testing.TB, v interface{ Encode() ([]byte, error) }) []byte {
	t.Helper()
	b, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var lost = compare.Finding{Kind: compare.Missing, From: "regional", To: "aggregate", Messages: 3, Places: []compare.Place{{Cluster: "east", First: 1, Last: 9}}}

func TestTheHighestVersionOfAVerdictCountsAndThenTheNext(t *testing.T) {
	v, say := heard(t, time.Hour)
	tell := func(owner string, version int64, findings ...compare.Finding) {
		d := verdictOf("a/b", epoch, version, findings...)
		say(owner, d.Key(), encoded(t, d))
	}
	kind := func() string {
		t.Helper()
		list, err := v.Verdicts(t.Context(), query.Verdicts{Topic: "a/b", From: epoch, To: epoch + 600})
		outline, err2 := v.Judgements(t.Context(), query.Verdicts{From: epoch, To: epoch + 600})
		if err != nil || err2 != nil || len(list) != len(outline["a/b"]) {
			t.Fatalf("%d verdicts, %v, and an outline of %v, %v", len(list), err, outline, err2)
		}
		if len(list) == 0 {
			return "none"
		}
		if j := outline["a/b"][0]; j.Kind != list[0].Kind || len(j.Against) != len(list[0].Findings) {
			t.Errorf("the outline has %+v of %+v", j, list[0])
		}
		return fmt.Sprint(list[0].Version, " ", list[0].Kind)
	}
	key := verdictOf("a/b", epoch, 0).Key()
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"a verdict", func() { tell("b", 5) }, "5 complete"},
		{"a newer one of another owner", func() { tell("a", 7, lost) }, "7 missing"},
		{"an older one of a third", func() { tell("c", 2) }, "7 missing"},
		{"a newer one of the first", func() { tell("b", 9) }, "9 complete"},
		{"that is deleted, the next one counts", func() { say("b", key, nil) }, "7 missing"},
		{"what is not held is deleted", func() { say("z", key, nil) }, "7 missing"},
		{"an owner goes back", func() { tell("a", 1, lost) }, "2 complete"},
		{"all are deleted", func() { say("a", key, nil); say("c", key, nil) }, "none"},
	} {
		if step.do(); kind() != step.want {
			t.Errorf("%s: %s, want %s", step.what, kind(), step.want)
		}
	}
	if n := len(v.current.Load().outline.topics); n != 0 {
		t.Errorf("%d topics are left in the outline", n)
	}
}

func TestVerdictsAreAskedForByTopicTimeAndPipeline(t *testing.T) {
	v, say := heard(t, time.Hour)
	for i, topic := range []string{"orders", "a/b", "payments"} {
		for n := range int64(3) {
			d := verdictOf(topic, epoch+600*n, 1)
			if i == 2 {
				d.Pipeline = "other"
			}
			if i == 1 && n == 1 {
				d.Kind = compare.Missing
			}
			say("a", d.Key(), encoded(t, d))
		}
		s := &compare.Standing{Topic: topic, Size: 600, Since: epoch, Version: 3}
		say("a", s.Key(), encoded(t, s))
	}
	for _, c := range []struct {
		q    query.Verdicts
		want string
	}{
		{query.Verdicts{From: epoch, To: epoch + 1}, "a/b 0, orders 0, payments 0, "},
		{query.Verdicts{Topic: "orders", From: epoch + 1, To: epoch + 1201}, "orders 600, orders 1200, "},
		{query.Verdicts{From: epoch + 1200, To: epoch + 9000, Pipeline: "other"}, "payments 1200, "},
		{query.Verdicts{From: epoch, To: epoch + 9000, Kinds: []compare.Kind{compare.Late, compare.Missing}}, "a/b 600, "},
		{query.Verdicts{Topic: "nothing", From: epoch, To: epoch + 9000}, ""},
	} {
		list, err := v.Verdicts(t.Context(), c.q)
		got := ""
		for _, d := range list {
			got += fmt.Sprint(d.Topic, " ", d.Start-epoch, ", ")
		}
		if err != nil || got != c.want {
			t.Errorf("%+v: %s, %v, want %s", c.q, got, err, c.want)
		}
	}
	all, err := v.Standings(t.Context(), "")
	one, err2 := v.Standings(t.Context(), "orders")
	if err != nil || err2 != nil || len(all) != 3 || all[0].Topic != "a/b" || len(one) != 1 || one[0].Topic != "orders" {
		t.Errorf("standings %+v, %v, and of one topic %+v, %v", all, err, one, err2)
	}
}

func TestVerdictsBeyondDetailAreDroppedFromTheOutlineToo(t *testing.T) {
	v, say := heard(t, time.Hour)
	for n := range int64(12) {
		d := verdictOf("orders", epoch+600*n, n)
		say("a", d.Key(), encoded(t, d))
	}
	v.current.Load().sweep()
	list, err := v.Judgements(t.Context(), query.Verdicts{To: epoch * 2})
	if err != nil || len(list["orders"]) != 7 || list["orders"][0].Start != epoch+600*5 {
		t.Errorf("held are %+v, %v", list, err)
	}
	newest := int64(epoch + 600*11 + 720)
	v.current.Load().clock = func() time.Time { return time.Unix(newest, 0) }
	if h := v.Horizon(); h != newest-3600 || list["orders"][0].Start > h {
		t.Errorf("horizon %d", h-epoch)
	}
	// Nothing is judged any more, but the log's time goes on, and old verdicts are deleted.
	v.current.Load().clock = func() time.Time { return time.Unix(newest+1800, 0) }
	if h := v.Horizon(); h != newest-1800 {
		t.Errorf("half an hour later, horizon %d", h-epoch)
	}
}

func TestWhatIsNoVerdictIsCountedAndWhatIsOfAnotherKindIsNot(t *testing.T) {
	v, say := heard(t, time.Hour)
	say("a", "orders/-/verdict/0/600", []byte("no JSON"))
	say("a", "orders/-/verdict/0/600", []byte(`{"record":"verdict"}`))
	say("a", "orders/-/forecast", []byte(`{"record":"forecast"}`))
	if n := v.current.Load().unread.Load(); n != 2 {
		t.Errorf("%d entries are said to be unreadable, want 2", n)
	}
	if rows, _ := v.current.Load().size(); rows != 0 {
		t.Errorf("%d are held", rows)
	}
}

func TestWhatTheJudgeHasSaidIsNotHeldByTheViewOfTheTable(t *testing.T) {
	s, put := filled(t, time.Hour)
	put("a", 1, windowOf("orders", 0, epoch, 0, 0, 1))
	rep := s.current.Load()
	for _, key := range []string{"orders/-/verdict/0/600/a", "orders/-/standing/a"} {
		row := table.Row{Appended: (epoch + 90) * 1000, JSON: []byte("{}")}
		if err := rep.update(nil, rep.partitions()[0], key, row.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if rows, _ := rep.size(); rows != 1 || rep.unread.Load() != 0 {
		t.Errorf("%d rows are held, %d are unreadable", rows, rep.unread.Load())
	}
	if _, err := s.Topics(t.Context(), epoch, epoch+600); err != nil {
		t.Error(err)
	}
}

func TestBeforeVerdictsAreReadAnswersAreNotAvailable(t *testing.T) {
	v := newVerdicts(0)
	_, verdicts := v.Verdicts(t.Context(), query.Verdicts{})
	_, standings := v.Standings(t.Context(), "")
	_, judgements := v.Judgements(t.Context(), query.Verdicts{})
	for i, err := range []error{verdicts, standings, judgements} {
		if !errors.Is(err, query.ErrUnavailable) {
			t.Errorf("question %d: %v", i, err)
		}
	}
}

// BenchmarkOverview lists the judgements of a thousand topics and a day, and says what
// they take.
func BenchmarkOverview(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v, say := heard(b, 48*time.Hour)
	p := compare.Percentiles{Count: 100_000, P50: 12.3456, P95: 34.5678, P99: 78.9012, Max: 345}
	at := time.Now()
	for n := range int64(144) {
		for i := range 1000 {
			d := verdictOf(fmt.Sprint("topic-", i), epoch+600*n, 1000*n)
			for j := range d.Tiers {
				c := &d.Tiers[j]
				c.Messages, c.Bytes, c.Sources, c.Fingerprint, c.Latency, c.Arrival = 100_000, 20_000_000, 8, "12345678901234567890", &p, &p
			}
			say("host-1-0123456789abcdef", d.Key(), encoded(b, d))
		}
	}
	filled := time.Since(at)
	runtime.GC()
	runtime.ReadMemStats(&after)
	rows, bytes := v.current.Load().size()
	for b.Loop() {
		all, err := v.Judgements(b.Context(), query.Verdicts{From: epoch, To: epoch * 2})
		if err != nil || len(all) != 1000 {
			b.Fatal(len(all), err)
		}
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(rows), "heap-B/window")
	b.ReportMetric(float64(bytes)/float64(rows), "stored-B/window")
	b.ReportMetric(filled.Seconds()*1e6/float64(rows), "µs/entry")
}
