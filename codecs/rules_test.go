package codecs_test

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

func TestTheFirstRuleThatMatchesTheWholeNameDecides(t *testing.T) {
	s, err := codecs.NewSelector([]codecs.Rule{
		{Topics: "orders|payments", Codecs: []string{"record"}},
		{Topics: `orders\..*`, Codecs: []string{"json"}, Fields: []string{"at"}},
		{Topics: "orders.*", Codecs: []string{"json"}},
	}, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]string{
		"orders": "record", "payments": "record", "orders.eu": "json(fields=at)", "orders-eu": "json",
		"old-orders": "undeclared json", "payments2": "undeclared json", "": "undeclared json", "orders\n": "undeclared json",
	} {
		for range 2 { // the second time from memory
			x := s.For(topic)
			got := x.Codec()
			if !x.Declared() {
				got = "undeclared " + got
			}
			if got != want {
				t.Errorf("topic %q is read by %s, want %s", topic, got, want)
			}
		}
	}
	if s.For("orders") != s.For("payments") {
		t.Error("topics of one rule have extractors of their own")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				s.For(strings.Repeat("x", i))
			}
		})
	}
	wg.Wait()
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	builders := codecs.Standard()
	builders["broken"] = codecs.Builder{Build: func(codecs.Rule, *codecs.Env) (codecs.Codec, error) { return nil, errors.New("no schema") }}
	builders["lazy"] = codecs.Builder{Build: func(codecs.Rule, *codecs.Env) (codecs.Codec, error) { return nil, nil }}
	s, err := codecs.NewSelector([]codecs.Rule{
		{Topics: "ok", Codecs: []string{"json"}},
		{Topics: "(", Codecs: []string{"xml"}, Past: -time.Second},
		{Topics: "a)|(b", Codecs: []string{"json"}, Fields: []string{"", "a..b", "a\xff", `a\b`}, Unit: "min", Future: time.Microsecond},
		{Codecs: []string{"record"}, Fields: []string{"ts"}, Unit: "s", Strict: true, AnyCase: true},
		{Topics: "x", Codecs: []string{"broken"}},
		{Topics: "x", Codecs: []string{"lazy"}},
		{Topics: "y", Codecs: []string{"json"}, AnyCase: true},
		{Topics: "y", Codecs: []string{"header", "header", "key"}, From: time.Unix(-1, 0), Layouts: []string{"15:04", "MST 2006-01-02 15:04", "2006-01-02 03:04:05"}, Zone: "Europe/Berlin", Headers: []string{""}},
		{Topics: "y", Codecs: []string{"json", "record"}, Headers: []string{"t"}, Message: "a.b", Zone: "+01:00"},
		{Topics: "z", From: time.Unix(1, 1)},
	}, builders, nil, codecs.Bounds{Future: -1})
	if err == nil || s != nil {
		t.Fatal("accepted")
	}
	want := []string{
		`default future: -1ns must be at least 1ms, or 0 for the default`,
		`rules[1].topics: "(" is not a regular expression: error parsing regexp: missing closing ): ` + "`(`",
		`rules[1].codec: "xml" is not a codec; use append_time or broken or cloudevents or create_time or header or json or key or lazy or record`,
		`rules[1].past: -1s must be at least 1ms, or 0 for the default`,
		`rules[2].topics: "a)|(b" is not a regular expression: error parsing regexp: unexpected ): ` + "`a)|(b`",
		`rules[2].fields: "" has a name of 0 bytes; names have 1 to 63`,
		`rules[2].fields: "a..b" has a name of 0 bytes; names have 1 to 63`,
		`rules[2].fields: "a\xff" is not UTF-8; no name in a document can equal it`,
		`rules[2].fields: "a\\b" has a backslash before something else than a dot or another one; write \\ for one that is part of a name`,
		`rules[2].unit: "min" is not a unit; use s, ms, us or ns, or leave it out to tell them apart by magnitude`,
		`rules[2].future: 1µs must be at least 1ms, or 0 for the default`,
		`rules[3].topics: is empty; give a regular expression, .* for all topics`,
		`rules[3].fields: codec record does not take it; leave it out`,
		`rules[3].any_case: codec record does not take it; leave it out`,
		`rules[3].unit: codec record does not take it; leave it out`,
		`rules[3].strict: codec record does not take it; leave it out`,
		`rules[4].codec: no schema`,
		`rules[5].codec: the builder of "lazy" made no codec and gave no reason`,
		`rules[5].topics: "x" is the pattern of rules[4] too; give one of them a from, or leave it out`,
		`rules[6].any_case: is set without fields; leave it out, since ts and timestamp are found in any case`,
		`rules[7].layouts: "15:04" does not tell 2001-02-03 04:05:06 from 2002-02-03 04:05:06; write how 2006-01-02 15:04:05 would look`,
		`rules[7].layouts: "MST 2006-01-02 15:04" has the name of a zone, which means different things in different places; use an offset such as -07:00, or zone`,
		`rules[7].layouts: "2006-01-02 03:04:05" does not tell 2001-02-03 04:05:06 from 2001-02-03 16:05:06; write how 2006-01-02 15:04:05 would look`,
		`rules[7].zone: "Europe/Berlin" is no offset from UTC, such as +02:00; named zones are not taken, for their rules change`,
		`rules[7].headers: has an empty name`,
		`rules[7].codec: "header" is there twice`,
		`rules[7].from: 1969-12-31T23:59:59Z must be a time after 1970 in whole milliseconds: it is held against record timestamps`,
		`rules[8].zone: is set without layouts; leave it out, since RFC 3339 has its own`,
		`rules[8].headers: codec json or record does not take it; leave it out`,
		`rules[8].message: codec json or record does not take it; leave it out`,
		`rules[8].topics: "y" is the pattern of rules[6] too; give one of them a from, or leave it out`,
		`rules[9].codec: is empty; use append_time or broken or cloudevents or create_time or header or json or key or lazy or record`,
		`rules[9].from: 1970-01-01T00:00:01.000000001Z must be a time after 1970 in whole milliseconds: it is held against record timestamps`,
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if p, ok := errors.AsType[*codecs.Problem](err); !ok || p.Rule != codecs.DefaultBounds || p.Key != "future" {
		t.Errorf("first problem is %+v", p)
	}
}

func TestMessagesAreClassified(t *testing.T) {
	const at = 1795285200000
	day := (24 * time.Hour).Milliseconds()
	declared := codecs.Rule{Topics: ".*", Codecs: []string{"json"}, Unit: "ms"}
	narrow := declared
	narrow.Past, narrow.Future = time.Second, 2*time.Second
	record := codecs.Rule{Topics: ".*", Codecs: []string{"record"}}

	for _, tc := range []struct {
		name  string
		rules []codecs.Rule
		value string
		time  int64
		ms    int64
		class audit.Class
	}{
		{"with a time", []codecs.Rule{declared}, `{"ts":1795285199000}`, at, at - 1000, audit.Timed},
		{"without one", []codecs.Rule{declared}, `{}`, at, at, audit.NoTime},
		{"without a value", []codecs.Rule{declared}, ``, at, at, audit.NoTime},
		{"broken", []codecs.Rule{declared}, `plain`, at, at, audit.Malformed},
		{"broken, but nobody said JSON", nil, `plain`, at, at, audit.NoTime},
		{"JSON, though nobody said so", nil, `{"TS":1795285199}`, at, at - 1000, audit.Timed},
		{"a week old", []codecs.Rule{declared}, `{"ts":1794680400000}`, at, at - 7*day, audit.Timed},
		{"over a week old", []codecs.Rule{declared}, `{"ts":1794680399999}`, at, at, audit.OutOfBounds},
		{"an hour ahead", []codecs.Rule{declared}, `{"ts":1795288800000}`, at, at + 3600000, audit.Timed},
		{"over an hour ahead", []codecs.Rule{declared}, `{"ts":1795288800001}`, at, at, audit.OutOfBounds},
		{"at the edge of its own past", []codecs.Rule{narrow}, `{"ts":1795285199000}`, at, at - 1000, audit.Timed},
		{"beyond it", []codecs.Rule{narrow}, `{"ts":1795285198999}`, at, at, audit.OutOfBounds},
		{"at the edge of its own future", []codecs.Rule{narrow}, `{"ts":1795285202000}`, at, at + 2000, audit.Timed},
		{"beyond that", []codecs.Rule{narrow}, `{"ts":1795285202001}`, at, at, audit.OutOfBounds},
		{"microseconds taken for milliseconds", []codecs.Rule{declared}, `{"ts":1795285199000000}`, at, at, audit.OutOfBounds},
		{"no record time: any time is believed", []codecs.Rule{declared}, `{"ts":1}`, -1, 1, audit.Timed},
		{"that a calendar can hold", []codecs.Rule{declared}, `{"ts":253402300799999}`, -1, 253402300799999, audit.Timed},
		{"and no other", []codecs.Rule{declared}, `{"ts":253402300800000}`, -1, -1, audit.OutOfBounds},
		{"in the past too", []codecs.Rule{declared}, `{"ts":-62167219200001}`, -1, -1, audit.OutOfBounds},
		{"no time at all", []codecs.Rule{declared}, `{}`, -1, -1, audit.NoTime},
		{"a record time that cannot be", []codecs.Rule{declared}, `{"ts":1}`, math.MaxInt64, math.MaxInt64, audit.OutOfBounds},
		{"by record time", []codecs.Rule{record}, `{"ts":1}`, at, at, audit.Timed},
		{"by record time at the epoch", []codecs.Rule{record}, ``, 0, 0, audit.Timed},
		{"by record time, of which there is none", []codecs.Rule{record}, `{"ts":1}`, -1, -1, audit.NoTime},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := mustSelect(t, tc.rules...)
			m := &codecs.Message{Value: []byte(tc.value), Time: tc.time}
			if ms, class, ready := x.Extract(m); ms != tc.ms || class != tc.class || !ready {
				t.Errorf("got %d class %d, want %d class %d", ms, class, tc.ms, tc.class)
			}
			if n := testing.AllocsPerRun(10, func() { x.Extract(m) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

func TestDefaultBoundsGiveWayToThoseOfARule(t *testing.T) {
	s, err := codecs.NewSelector([]codecs.Rule{
		{Topics: "a", Codecs: []string{"json"}, Past: time.Minute},
	}, codecs.Standard(), nil, codecs.Bounds{Past: time.Second, Future: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	m := &codecs.Message{Value: []byte(`{"ts":1795285200}`), Time: 1795285200000 + 2000}
	if _, class, _ := s.For("a").Extract(m); class != audit.Timed {
		t.Error("the bound of the rule is not heard")
	}
	if _, class, _ := s.For("b").Extract(m); class != audit.OutOfBounds {
		t.Error("the default bound is not heard where no rule matches")
	}
	m.Time = 1795285200000 - 2000
	if _, class, _ := s.For("a").Extract(m); class != audit.OutOfBounds {
		t.Error("the default bound is not heard where the rule has none")
	}
}

// These digests are stored in ledgers: a change here begins new generations
// everywhere, and cuts windows.
func TestDigestsAreTheSameForEver(t *testing.T) {
	base := codecs.Rule{Topics: ".*", Codecs: []string{"json"}}
	with := func(change func(*codecs.Rule)) []codecs.Rule {
		r := base
		change(&r)
		return []codecs.Rule{r}
	}
	seen := map[string]string{}
	for _, tc := range []struct {
		name, want string
		rules      []codecs.Rule
		window     time.Duration
	}{
		{"undeclared", "406878c7", nil, 10 * time.Minute},
		{"declared", "cedad263", []codecs.Rule{base}, 10 * time.Minute},
		{"another window", "67b0ee74", []codecs.Rule{base}, time.Minute},
		{"another past", "ed2487c6", with(func(r *codecs.Rule) { r.Past = time.Hour }), 10 * time.Minute},
		{"another future", "f00bba0c", with(func(r *codecs.Rule) { r.Future = time.Minute }), 10 * time.Minute},
		{"another field", "5fe6ceb7", with(func(r *codecs.Rule) { r.Fields = []string{"at"} }), 10 * time.Minute},
		{"another unit", "b3c473e8", with(func(r *codecs.Rule) { r.Unit = "ms" }), 10 * time.Minute},
		{"strict", "dd74ca57", with(func(r *codecs.Rule) { r.Strict = true }), 10 * time.Minute},
		{"another codec", "cb6d2a26", with(func(r *codecs.Rule) { r.Codecs = []string{"record"} }), 10 * time.Minute},
	} {
		got := mustSelect(t, tc.rules...).Digest(tc.window)
		if got != tc.want {
			t.Errorf("%s: digest %s, want %s", tc.name, got, tc.want)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%s has the digest of %s", tc.name, other)
		}
		seen[got] = tc.name
	}
}

func TestBasisNamesWhatTheTimeRestsOn(t *testing.T) {
	if got := mustSelect(t).Basis(); got != audit.BasisPayload {
		t.Errorf("json rests on %s", got)
	}
	if got := mustSelect(t, codecs.Rule{Topics: ".*", Codecs: []string{"record"}}).Basis(); got != audit.BasisRecord {
		t.Errorf("record rests on %s", got)
	}
}
