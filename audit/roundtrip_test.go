package audit

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

func TestRandomRecordsSurviveARoundTrip(t *testing.T) {
	rng := newRand(t)
	for range 2000 {
		r := randomRecord(rng)
		if err := r.Validate(); err != nil {
			t.Fatalf("the generator made %+v: %v", r, err)
		}
		b := r.AppendJSON(nil)
		if !json.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
		sameRecord(t, mustDecode(t, b), r)
		if again := r.AppendJSON([]byte("before")); string(again) != "before"+string(b) {
			t.Fatal("encoding again gives other bytes")
		}
		if t.Failed() {
			return
		}
	}
}

func randomRecord(rng *rand.Rand) *Record {
	maybe := func() bool { return rng.IntN(2) == 0 }
	text := func() string {
		return []string{"", "a", "-", "a/b%c", "dc 1", `"q"\`, "é\u2028<>&", "\x00\x1f", "日本"}[rng.IntN(9)]
	}
	big := func() int64 { return rng.Int64() >> rng.IntN(64) }
	r := &Record{Kind: []Kind{KindWindow, KindWindow, KindProgress, KindHello, KindGoodbye, KindMissed}[rng.IntN(6)]}
	r.Identity = Identity{Tier: "t" + text(), Datacenter: text(), Cluster: text(), Topic: "t" + text(), Partition: rng.Int32() >> rng.IntN(32), Instance: "i" + text(), Generation: big(), Segment: big()}
	if maybe() {
		r.Physical = "p" + text()
	}
	if maybe() {
		r.TopicID[rng.IntN(16)] = 7
	}
	r.Version, r.Base, r.Owner, r.Host = big(), big(), "o"+text(), text()
	if maybe() {
		r.Extra = map[string]json.RawMessage{"extra" + text(): json.RawMessage(`{"a":[null,1e5]}`), "z": json.RawMessage(`"<"`)}
	}
	client := func() *ClientCount {
		return &ClientCount{Attempts: rng.Uint64(), Successes: rng.Uint64(), Failures: 0, Started: big(), Records: uint64(rng.IntN(3))}
	}
	switch r.Kind {
	case KindWindow:
		size := []int64{1, 60, 600, 3600, day}[rng.IntN(5)]
		r.Window = WindowAt(int64(rng.Uint64())>>rng.IntN(64), size)
		r.Tally = &WindowTally{First: -1, Last: -1, Partial: maybe(), GenerationStart: big(), Codec: text(), TimeBasis: text(), LatencyBasis: text(), Digest: text(), SketchMode: text(), FingerprintMode: "m" + text()}
		for range rng.IntN(200) {
			r.Tally.Add(randomEvent(rng))
		}
		if maybe() {
			r.Tally.First = big()
			r.Tally.Last = max(r.Tally.First, big())
		}
		if maybe() {
			r.Tally.Arrival = &Latency{}
			for range rng.IntN(5) {
				r.Tally.Arrival.Add(int64(rng.Uint64()) >> rng.IntN(64))
			}
			r.Tally.Arrival.Bins.Put(7, rng.Uint64()>>1)
		}
		if maybe() {
			r.Tally.Sketch, r.Tally.SketchMode = []byte{1, 2, 255}, "s"
		}
		if maybe() {
			r.Client = client()
		}
	case KindProgress:
		r.Progress = &Progress{AskedAfter: big(), Partitions: rng.Int32()}
		for range rng.IntN(4) {
			start, end := big(), big()-1
			r.Progress.Sources = append(r.Progress.Sources, SourceProgress{
				Partition: rng.Int32(), Generation: big(), Base: big(), Segment: big(), Start: start, Next: max(start, big()), Total: rng.Uint64(),
				Time: int64(rng.Uint64()), LogStart: big() - 1, End: end, HighWatermark: []int64{-1, end, max(end, big())}[rng.IntN(3)], CaughtUp: CaughtUpNo,
			})
		}
	case KindHello, KindGoodbye:
		if maybe() {
			r.Client = client()
		}
	case KindMissed:
		from := big()
		r.Missed = &Missed{From: from, To: max(from, big()), Reason: MissedReason("r" + text()), Since: big(), Until: big()}
	}
	return r
}

func randomEvent(rng *rand.Rand) *Event {
	return &Event{Bytes: rng.IntN(1000), Hash: rng.Uint64(), Moment: rng.Uint64(), Class: Class(rng.IntN(4)), Latency: int64(rng.Uint64()) >> rng.IntN(64)}
}

// checkDecodes is what must hold for any bytes.
func checkDecodes(t *testing.T, b []byte) {
	r, err := Decode(b)
	if err != nil {
		if r != nil || err.Error() == "" {
			t.Errorf("record %v with error %v", r, err)
		}
		return
	}
	out := r.AppendJSON(nil)
	back := mustDecode(t, out)
	sameRecord(t, back, r)
	if back.Key() != r.Key() || back.UUID() != r.UUID() {
		t.Errorf("key or uuid changed: %s, %s", r.Key(), back.Key())
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no golden files", err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(checkDecodes)
}

func benchRecord() *Record {
	r := samples()["window"]
	r.Extra, r.Tally.Arrival, r.Tally.Sketch = nil, nil, nil
	r.Tally.Tally = Tally{}
	for bin := range int16(100) {
		for range 50 {
			r.Tally.Add(&Event{Bytes: 200, Hash: rand.Uint64(), Latency: int64(BinValue(bin + 300))})
		}
	}
	return r
}

func BenchmarkEncode(b *testing.B) {
	r := benchRecord()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = r.AppendJSON(buf[:0])
	}
	b.ReportMetric(float64(len(buf)), "bytes")
	b.ReportMetric(float64(r.Tally.Latency.Bins.Len()), "bins")
}

func BenchmarkDecode(b *testing.B) {
	buf := benchRecord().AppendJSON(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(buf); err != nil {
			b.Fatal(err)
		}
	}
}
