package codecs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

const day = 24 * time.Hour

var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// Whoever reads the log again, whenever that is, reads each message by the rule that
// held when it was written.
func TestRulesFollowUponOneAnotherByRecordTimestamp(t *testing.T) {
	json := []string{"json"}
	s, err := codecs.NewSelector([]codecs.Rule{
		{Topics: "orders", Codecs: []string{"header"}, From: monday.Add(2 * day)},
		{Topics: "orders|bills", Codecs: json, Fields: []string{"z"}, From: monday.Add(-day)},
		{Topics: "orders", Codecs: json, Fields: []string{"b"}, From: monday},
		{Topics: "orders", Codecs: json, Fields: []string{"c"}, From: monday.Add(day)},
		{Topics: "bills", Codecs: json, Fields: []string{"y"}},
	}, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	orders := s.For("orders")
	for _, tc := range []struct {
		at   time.Time
		want string
	}{
		{monday.Add(-day - 1), "json"},
		{monday.Add(-day), "json(fields=z)"},
		{monday.Add(-time.Millisecond), "json(fields=z)"},
		{monday, "json(fields=b)"},
		{monday.Add(day), "json(fields=c)"},
		{monday.Add(2 * day), "header"},
		{monday.Add(1000 * day), "header"},
	} {
		if got := orders.CodecAt(tc.at.UnixMilli()).Name(); got != tc.want {
			t.Errorf("orders at %s: %s, want %s", tc.at, got, tc.want)
		}
	}
	if got := orders.CodecAt(-1).Name(); got != "json" {
		t.Errorf("without a timestamp: %s, want that of always", got)
	}
	const want = "header from 2026-11-25T00:00:00Z; before json(fields=c) from 2026-11-24T00:00:00Z; before json(fields=b) from 2026-11-23T00:00:00Z; " +
		"before json(fields=z) from 2026-11-22T00:00:00Z; before json"
	if got := orders.Codec(); got != want {
		t.Errorf("orders are read by %s", got)
	}
	if orders.Basis() != audit.BasisMixed || s.For("bills").Basis() != audit.BasisPayload {
		t.Errorf("orders rest on %s, bills on %s", orders.Basis(), s.For("bills").Basis())
	}
	if got := s.For("bills").CodecAt(monday.Add(-2 * day).UnixMilli()).Name(); got != "json(fields=y)" {
		t.Errorf("bills before all others: %s", got)
	}
}

func TestARuleThatIsAddedContinuesWhatWasBefore(t *testing.T) {
	old := codecs.Rule{Topics: "t", Codecs: []string{"json"}}
	then := codecs.Rule{Topics: "t", Codecs: []string{"header"}, From: monday}
	last := codecs.Rule{Topics: "t", Codecs: []string{"record"}, From: monday.Add(day)}
	digest := func(rules ...codecs.Rule) string { return mustSelectFor(t, "t", rules...).Digest(time.Minute) }

	x := mustSelectFor(t, "t", last, old, then)
	want := []codecs.Former{{Digest: digest(old), Until: monday.UnixMilli()}, {Digest: digest(then, old), Until: monday.Add(day).UnixMilli()}}
	got := x.Formers(time.Minute)
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("formers %+v, want %+v", got, want)
	}
	if x.Digest(time.Minute) != digest(then, last, old) {
		t.Error("the order of rules with one pattern means something")
	}
	// What nobody declared may be declared from a moment on.
	x = mustSelectFor(t, "t", then)
	if got := x.Formers(time.Minute); len(got) != 1 || got[0].Digest != digest() {
		t.Errorf("formers of an undeclared topic: %+v", got)
	}
	seen := map[string]bool{}
	for _, d := range []string{digest(), digest(old), digest(then), digest(then, old), digest(last, old), digest(then, last, old)} {
		if seen[d] {
			t.Errorf("digest %s is there twice", d)
		}
		seen[d] = true
	}
}

// lesson is a codec that has to learn, once.
type lesson struct {
	known bool
	err   error
}

func (l *lesson) Name() string  { return "lesson" }
func (l *lesson) Basis() string { return audit.BasisPayload }
func (l *lesson) EventTime(*codecs.Message) (int64, codecs.Status) {
	if !l.known {
		return 0, codecs.Unready
	}
	return 42, codecs.Found
}
func (l *lesson) Learn(context.Context, *codecs.Message) error {
	l.known = l.err == nil
	return l.err
}

// What a chain says must not depend on when it is asked, so it waits for one that
// does not know yet instead of asking the next.
func TestAChainWaitsForOneThatLearns(t *testing.T) {
	l := &lesson{err: errors.New("the registry is away")}
	b := codecs.Standard()
	b["lesson"] = codecs.Builder{Build: func(codecs.Rule, *codecs.Env) (codecs.Codec, error) { return l, nil }}
	s, err := codecs.NewSelector([]codecs.Rule{{Topics: ".*", Codecs: []string{"header", "lesson", "record"}}}, b, nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	x, m := s.For("t"), &codecs.Message{Value: []byte("x"), Time: 43}
	if _, _, ready := x.Extract(m); ready {
		t.Fatal("answers before it can know")
	}
	if err := x.Learn(t.Context(), m); !errors.Is(err, l.err) {
		t.Errorf("learns %v", err)
	}
	stamped := &codecs.Message{Headers: encode(header{"chaperone-time", []byte("41")}), Time: 43}
	if ms, _, ready := x.Extract(stamped); !ready || ms != 41 {
		t.Errorf("does not answer what needs nothing: %d %t", ms, ready)
	}
	l.err = nil
	if err := x.Learn(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if ms, class, ready := x.Extract(m); !ready || ms != 42 || class != audit.Timed {
		t.Errorf("knows it and says %d %d %t", ms, class, ready)
	}
}

func mustSelectFor(t testing.TB, topic string, rules ...codecs.Rule) *codecs.Extractor {
	t.Helper()
	s, err := codecs.NewSelector(rules, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	return s.For(topic)
}
