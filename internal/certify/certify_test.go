package certify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
)

var midnight = time.Date(2026, 1, 30, 0, 0, 0, 0, time.UTC)

// day is a statement of four windows: two with messages, one of them with a finding, and
// two that are empty.
func day(t *testing.T) *Statement {
	t.Helper()
	c := &v1.Completeness{From: midnight, To: midnight.Add(40 * time.Minute), Threshold: 1}
	topic := v1.TopicCompleteness{Topic: "orders", Pipeline: "main", Since: &midnight}
	verdicts, records := &v1.Verdicts{}, &v1.Records{}
	for i := range 4 {
		start := midnight.Add(time.Duration(i) * 10 * time.Minute)
		p := v1.WindowCompleteness{Start: start, End: start.Add(10 * time.Minute), State: "final", Verdict: "complete", Complete: true, Empty: i%2 == 1}
		if i == 2 {
			p.Verdict, p.Complete = "missing", false
		}
		topic.PerWindow = append(topic.PerWindow, p)
		if p.Empty {
			continue
		}
		v := v1.Verdict{Topic: "orders", Start: p.Start, End: p.End, State: p.State, Verdict: p.Verdict, Version: int64(100 + i), Digest: fmt.Sprint("d", i)}
		if i == 2 {
			v.Findings = []v1.Finding{{Sentence: "1 message is missing"}}
		}
		for n, tier := range []string{"aggregate", "regional"} {
			sum := v1.TierCount{Tier: tier}
			var print uint64
			for partition := range int32(2) {
				r := audit.Record{Kind: audit.KindWindow, Version: 50, Identity: audit.Identity{Topic: "orders", Tier: tier, Cluster: tier, Partition: partition, Window: audit.Window{Start: start.Unix(), Size: 600}}}
				count, f := uint64(5+i+n), uint64(1<<63)+uint64(partition)+uint64(n)
				records.Records = append(records.Records, v1.Record{UUID: r.UUID().String(), Identity: r.IdentityKey(), Version: 50, Tier: tier, Start: p.Start, End: p.End,
					Count: count, Bytes: 10 * count, Fingerprint: fmt.Sprint(f), Mode: audit.FingerprintMode})
				sum.Messages += count
				sum.Bytes += 10 * count
				print += f
			}
			sum.Fingerprint = fmt.Sprint(print)
			v.Tiers = append(v.Tiers, sum)
		}
		verdicts.Verdicts = append(verdicts.Verdicts, v)
	}
	c.Topics = []v1.TopicCompleteness{topic}
	s, err := Make(c, verdicts, records, "v1.2.3", midnight.Add(25*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func written(t *testing.T, s *Statement) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAStatementHoldsAsItWasWritten(t *testing.T) {
	s := day(t)
	again, err := Read(bytes.NewReader(written(t, s)))
	if err != nil || !reflect.DeepEqual(again, s) {
		t.Fatalf("read is\n%+v, %v, want\n%+v", again, err, s)
	}
	if wrong := Check(again); len(wrong) > 0 {
		t.Errorf("wrong are %q", wrong)
	}
}

// Any value in the file is changed, one after the other, and each change is found: even by
// one who has nothing but the digest.
func TestAnythingThatIsChangedIsFound(t *testing.T) {
	s := day(t)
	var document any
	if err := json.Unmarshal(written(t, s), &document); err != nil {
		t.Fatal(err)
	}
	n := 0
	var flip func(at any, path string, set func(any))
	try := func(path string) {
		n++
		b, _ := json.Marshal(document)
		changed, err := Read(bytes.NewReader(b))
		if err == nil && len(Check(changed)) == 0 {
			t.Errorf("%s: not found", path)
		}
	}
	flip = func(at any, path string, set func(any)) {
		switch v := at.(type) {
		case map[string]any:
			for name, member := range v {
				flip(member, path+"."+name, func(x any) { v[name] = x })
				delete(v, name)
				// What is left out where there was nothing says the same.
				if !empty(member) {
					try(path + " without " + name)
				}
				v[name] = member
			}
			v["more"] = 1
			try(path + " with more")
			delete(v, "more")
		case []any:
			for i, element := range v {
				flip(element, fmt.Sprintf("%s[%d]", path, i), func(x any) { v[i] = x })
			}
			if len(v) > 0 {
				set(v[1:])
				try(path + " without its first")
				set(append(v[:len(v):len(v)], v[0]))
				try(path + " with its first again")
			}
		case string:
			for i := range v {
				set(v[:i] + string(v[i]^1) + v[i+1:])
				try(fmt.Sprintf("%s at %d", path, i))
			}
			set(v + "0")
			try(path + " and more")
		case float64:
			set(v + 1)
			try(path)
		case bool:
			set(!v)
			try(path)
		}
		set(at)
	}
	flip(document, "", func(any) {})
	if n < 1000 {
		t.Errorf("only %d changes were tried", n)
	}
}

func empty(v any) bool {
	list, ok := v.([]any)
	return v == nil || v == "" || v == false || v == 0.0 || ok && len(list) == 0
}

// Who changes a statement and its digest, too, still has to make it true.
func TestWhatDoesNotFollowFromTheRecordsIsFound(t *testing.T) {
	for outcome, change := range map[string]struct {
		do   func(*Statement)
		want string
	}{
		"a count":                       {func(s *Statement) { s.Records[1].Count++ }, "the records of aggregate add up to 11 messages"},
		"bytes":                         {func(s *Statement) { s.Records[1].Bytes++ }, "messages of 101 bytes"},
		"a fingerprint":                 {func(s *Statement) { s.Records[0].Fingerprint = "7" }, "the fingerprint of the records of aggregate"},
		"a fingerprint that is left":    {func(s *Statement) { s.Records[0].Fingerprint = "" }, "the fingerprint of the records of aggregate"},
		"a record that is left out":     {func(s *Statement) { s.Records = s.Records[1:] }, "add up to 5 messages"},
		"a record twice":                {func(s *Statement) { s.Records = append(s.Records, s.Records[7]) }, "is not behind the one before it"},
		"a version":                     {func(s *Statement) { s.Records[0].Version++ }, "has uuid"},
		"a record of another topic":     {func(s *Statement) { s.Topic = "payments" }, "is not of tier"},
		"a verdict's count":             {func(s *Statement) { s.Windows[0].Tiers[0].Messages-- }, "and the verdict has 9"},
		"a window that is made whole":   {func(s *Statement) { s.Windows[2].Complete = true }, "the windows say true"},
		"unknown that is made complete": {func(s *Statement) { s.Windows[0].Verdict = "unknown" }, "cannot be complete"},
		"provisional made complete":     {func(s *Statement) { s.Windows[0].State = "provisional" }, "cannot be complete"},
		"a window that is left out":     {func(s *Statement) { s.Windows = s.Windows[:3] }, "nothing is said of the time from 2026-01-30T00:30:00Z"},
		"one in the middle":             {func(s *Statement) { s.Windows = append(s.Windows[:1], s.Windows[2:]...) }, "does not follow"},
		"an empty one that is none":     {func(s *Statement) { s.Windows[0].Empty = true }, "is empty, and there are records"},
		"a judge":                       {func(s *Statement) { s.Judges = s.Judges[1:] }, "not among the judges"},
	} {
		t.Run(outcome, func(t *testing.T) {
			s := day(t)
			change.do(s)
			s.Digest = s.digest()
			if wrong := strings.Join(Check(s), "\n"); !strings.Contains(wrong, change.want) {
				t.Errorf("wrong is %q, want %q in it", wrong, change.want)
			}
		})
	}
}

func TestNothingIsStatedOfATopicThatNobodyKnows(t *testing.T) {
	if _, err := Make(&v1.Completeness{Topics: []v1.TopicCompleteness{{Topic: "nothing"}}}, &v1.Verdicts{}, &v1.Records{}, "", midnight); err == nil {
		t.Error("no error")
	}
	for _, text := range []string{"", "{}", "null", `{"statement":"chaperone/statement/2"}`, string(written(t, day(t))) + "{}"} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%.40q is taken for a statement", text)
		}
	}
}
