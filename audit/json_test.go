package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files in testdata")

func ptr[T any](x T) *T { return &x }

// samples has one full record of each kind; the golden files show them.
func samples() map[string]*Record {
	head := Record{
		Identity: Identity{
			Tier: "regional", Datacenter: "dc1", Cluster: "kafka-dc1", Topic: "orders",
			TopicID: TopicID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, Partition: 3,
		},
		Owner: "count-1.7f3a", Host: "host-1",
	}
	of := func(kind Kind, fill func(r *Record)) *Record {
		r := head
		r.Kind = kind
		fill(&r)
		return &r
	}
	instance := func(r *Record) {
		r.Tier, r.Cluster, r.TopicID, r.Partition, r.Instance = "proxy-client", "", TopicID{}, NoPartition, "checkout-5/é"
	}
	return map[string]*Record{
		"window": of(KindWindow, func(r *Record) {
			r.Window = Window{Start: 1795285200, Size: 600}
			r.Physical = "west.orders"
			r.Generation, r.Segment, r.Version, r.Base = 2, 5, 1041, 1
			r.Tally = &WindowTally{
				First: 1000, Last: 1041, Partial: true, GenerationStart: 900,
				Codec: "json(ts)", TimeBasis: BasisPayload, LatencyBasis: BasisCreateTime, Digest: "5d41", FingerprintMode: FingerprintMode,
				Arrival: &Latency{}, Sketch: []byte("sketch\xff"), SketchMode: "iblt-96-4",
			}
			for i := range 42 {
				value := fmt.Appendf(nil, `{"ts":1795285200,"n":%d}`, i)
				r.Tally.Add(&Event{Bytes: len(value), Hash: Hash(nil, value), Moment: Moment(nil, int64(i)), Class: Class(i % 5 / 2 * (i % 4)), Latency: int64(i*i - 5)})
				r.Tally.Arrival.Add(int64(1000 + i*i*i))
			}
			r.Extra = map[string]json.RawMessage{"fromTomorrow": json.RawMessage(`{"a":[1,2.50]}`), "also": json.RawMessage(`"x"`)}
		}),
		"window-client": of(KindWindow, func(r *Record) {
			instance(r)
			r.Window = Window{Start: -600, Size: 600}
			r.Version = 7
			r.Tally = &WindowTally{First: -1, Last: -1}
			r.Tally.Count, r.Tally.Bytes = 3, 30
			r.Client = &ClientCount{Attempts: 4, Successes: 3, Failures: 1, Started: 1795285200123}
		}),
		"progress": of(KindProgress, func(r *Record) {
			r.Partition = NoPartition
			r.Version = 17
			r.Progress = &Progress{AskedAfter: 16, Partitions: 4, Sources: []SourceProgress{
				{Partition: 0, Generation: 2, Base: 1, Segment: 5, Start: 900, Next: 1042, Total: 140, Time: 1795285260000, LogStart: 0, End: 1042, HighWatermark: 1050, CaughtUp: CaughtUpYes},
				{Partition: 3, LogStart: -1, End: -1, HighWatermark: -1, CaughtUp: CaughtUpUnknown},
			}}
		}),
		"absent": of(KindProgress, func(r *Record) {
			r.TopicID, r.Partition, r.Instance = TopicID{}, NoPartition, r.Owner
			r.Version = 3
			r.Progress = &Progress{AskedAfter: 2}
		}),
		"hello": of(KindHello, func(r *Record) {
			instance(r)
			r.Client = &ClientCount{Started: 1795285200123}
		}),
		"goodbye": of(KindGoodbye, func(r *Record) {
			instance(r)
			r.Version = 9
			r.Client = &ClientCount{Attempts: 40, Successes: 39, Failures: 1, Started: 1795285200123, Records: 8}
		}),
		"missed": of(KindMissed, func(r *Record) {
			r.Generation = 3
			r.Missed = &Missed{From: 1042, To: 2000, Reason: MissedRetention, Since: 1795285260000, Until: 1795285999000}
		}),
	}
}

func TestGoldenFilesHoldTheFormat(t *testing.T) {
	for name, r := range samples() {
		t.Run(name, func(t *testing.T) {
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			got := r.AppendJSON(nil)
			want := golden(t, name+".json", got)
			if !bytes.Equal(got, want) {
				t.Errorf("encoded\n%s\nwant\n%s", got, want)
			}
			sameRecord(t, mustDecode(t, want), r)
			if std, err := json.Marshal(r); err != nil || !bytes.Equal(std, got) {
				t.Errorf("json.Marshal says %s, %v", std, err)
			}
			var back Record
			if err := json.Unmarshal(want, &back); err != nil {
				t.Fatal(err)
			}
			sameRecord(t, &back, r)
			if back.Absent() != (name == "absent") {
				t.Errorf("absent: %t", back.Absent())
			}
		})
	}
}

// golden reads a file of one line, or writes it with -rewrite.
func golden(t testing.TB, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite && got != nil {
		if err := os.WriteFile(path, append(bytes.Clone(got), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(want, []byte("\n"))
}

func mustDecode(t testing.TB, b []byte) *Record {
	t.Helper()
	r, err := Decode(b)
	if err != nil {
		t.Fatalf("decode %s: %v", b, err)
	}
	return r
}

// sameRecord compares all that a record says: bins by content, for their memory
// may be laid out in more than one way.
func sameRecord(t testing.TB, got, want *Record) {
	t.Helper()
	if g, w := got.AppendJSON(nil), want.AppendJSON(nil); !bytes.Equal(g, w) {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
	g, w := plainBins(got), plainBins(want)
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got\n%+v\nwant\n%+v", g, w)
	}
}

// plainBins is a copy with bins as decoding lays them out.
func plainBins(r *Record) Record {
	c := *r
	if c.Tally != nil {
		tally := *c.Tally
		tally.Latency.Bins = packed(tally.Latency.Bins)
		if tally.Arrival != nil {
			a := *tally.Arrival
			a.Bins = packed(a.Bins)
			tally.Arrival = &a
		}
		c.Tally = &tally
	}
	return c
}

func packed(b Bins) (c Bins) {
	for bin, n := range b.All() {
		c.Put(bin, n)
	}
	return c
}

func TestEveryFieldIsInTheSamplesAndInTheDoc(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Kind]map[string]bool{}
	var walk func(prefix string, v any)
	walk = func(prefix string, v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(prefix, e)
			}
		case map[string]any:
			for name, e := range v {
				full := prefix + name
				if prefix == "progress.sources." {
					full = "  " + name
				}
				if !bytes.Contains(doc, []byte("//\t"+full+" ")) {
					t.Errorf("doc.go lacks a line on %s", full)
				}
				if prefix == "" && (name == "client" || name == "progress" || name == "missed") || name == "sources" {
					walk(full+".", e)
				}
			}
		}
	}
	for _, r := range samples() {
		r.Extra = nil
		var m map[string]any
		if err := json.Unmarshal(r.AppendJSON(nil), &m); err != nil {
			t.Fatal(err)
		}
		if seen[r.Kind] == nil {
			seen[r.Kind] = map[string]bool{}
		}
		for name := range m {
			seen[r.Kind][name] = true
			if name != "client" && name != "progress" && name != "missed" {
				walk("", map[string]any{name: nil})
			}
		}
		for _, name := range []string{"client", "progress", "missed"} {
			if m[name] != nil {
				walk(name+".", m[name])
			}
		}
	}
	for kind, fields := range kindFields {
		known := map[string]bool{}
		for _, name := range fields {
			known[name] = true
			if kind == KindWindow && !seen[kind][name] {
				t.Errorf("no sample of kind %s has %s", kind, name)
			}
		}
		for name := range seen[kind] {
			if !known[name] {
				t.Errorf("%s is written for kind %s but not in its list of fields", name, kind)
			}
		}
	}
}

func TestRecordsOfTheFutureSurvive(t *testing.T) {
	t.Run("an unknown kind is kept whole", func(t *testing.T) {
		in := golden(t, "future-kind.json", nil)
		r := mustDecode(t, in)
		if r.Kind != "reassigned" || string(r.Extra["v"]) != "2" || string(r.Extra["count"]) != "-5.5" {
			t.Errorf("decoded %+v", r)
		}
		out := r.AppendJSON(nil)
		sameJSON(t, out, in)
		sameRecord(t, mustDecode(t, out), r)
	})
	t.Run("unknown fields are kept at every level", func(t *testing.T) {
		for _, name := range []string{"future-window.json", "future-progress.json", "future-missed.json"} {
			in := golden(t, name, nil)
			r := mustDecode(t, in)
			out := r.AppendJSON(nil)
			if !bytes.Equal(out, in) {
				t.Errorf("%s: decoded and encoded\n%s\nwant\n%s", name, out, in)
			}
			sameRecord(t, mustDecode(t, out), r)
		}
	})
	t.Run("a newer format of a known kind is refused by name", func(t *testing.T) {
		_, err := Decode([]byte(`{"v":2,"kind":"window","topicName":"t"}`))
		if !errors.Is(err, ErrFormat) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("white space in unknown fields does not count", func(t *testing.T) {
		spaced := mustDecode(t, []byte("{\"v\": 1, \"kind\":\"new\", \"x\": { \"a\" : [ 1, 2 ] }}"))
		if got := string(spaced.AppendJSON(nil)); got != `{"kind":"new","v":1,"x":{"a":[1,2]}}` {
			t.Error(got)
		}
	})
}

func sameJSON(t testing.TB, got, want []byte) {
	t.Helper()
	var g, w any
	if json.Unmarshal(got, &g) != nil || json.Unmarshal(want, &w) != nil || !reflect.DeepEqual(g, w) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBinsDecodeInAnySpelling(t *testing.T) {
	decode := func(bins string) Bins {
		t.Helper()
		return mustDecode(t, []byte(`{"v":1,"kind":"window","topicName":"t","tier":"a","version":1,"timeBeginInSec":0,"timeEndInSec":600,"count":1000,"maxLatency":5,"latencyBins":`+bins+`}`)).Tally.Latency.Bins
	}
	want := decode(`{"-1":4,"0":5,"9":1,"120":600}`)
	if want.Count() != 610 || want.Len() != 4 {
		t.Fatalf("bins %v", want)
	}
	for _, s := range []string{
		`{"-1":4,"0":7,"0":5,"9":1,"120":600}`, `{ "-1" : 4, "0":5,"9":1,"120":600}`, `{"120":600,"9":1,"0":5,"-1":4}`, `{"-1":4,"0":5,"1":0,"9":1,"10":null,"120":600}`, `{"-1":4,"0":7,"0":5,"\u0039":1,"120":600 }`,
	} {
		if got := decode(s); !got.Equal(want) {
			t.Errorf("%s gives %v", s, got)
		}
	}
}
