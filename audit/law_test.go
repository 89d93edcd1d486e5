package audit

import "testing"

// lawful is a tally with something in every field.
func lawful() *WindowTally {
	t := &WindowTally{First: 3, Last: 90, GenerationStart: 2, Codec: "json", TimeBasis: BasisPayload, LatencyBasis: BasisUnknown, Digest: "d", FingerprintMode: FingerprintMode}
	for n := range int64(200) {
		t.Add(&Event{Bytes: int(n), Hash: uint64(n) * 0x9e3779b97f4a7c15, Moment: uint64(n) * 77, Class: Class(n % 40 / 37), Latency: n*n - 5})
	}
	return t
}

func TestLawHashSeesWhatTheLawFixes(t *testing.T) {
	want := lawful().LawHash()
	if lawful().LawHash() != want {
		t.Fatal("equal tallies have unlike hashes")
	}
	for name, change := range map[string]func(*WindowTally){
		"count":           func(t *WindowTally) { t.Count++ },
		"bytes":           func(t *WindowTally) { t.Bytes++ },
		"no time":         func(t *WindowTally) { t.NoTime++ },
		"malformed":       func(t *WindowTally) { t.Malformed++ },
		"out of bounds":   func(t *WindowTally) { t.OutOfBounds++ },
		"fingerprint":     func(t *WindowTally) { t.Fingerprint++ },
		"power sums":      func(t *WindowTally) { t.PowerSums[6]++ },
		"moments":         func(t *WindowTally) { t.Moments[6]++ },
		"latency":         func(t *WindowTally) { t.Latency.Bins.Put(30, 1) },
		"latency sum":     func(t *WindowTally) { t.Latency.Sum++ },
		"latency max":     func(t *WindowTally) { t.Latency.Max++ },
		"negative":        func(t *WindowTally) { t.Latency.Negative++ },
		"negative max":    func(t *WindowTally) { t.Latency.NegativeMax++ },
		"first":           func(t *WindowTally) { t.First++ },
		"last":            func(t *WindowTally) { t.Last++ },
		"partial":         func(t *WindowTally) { t.Partial = true },
		"start":           func(t *WindowTally) { t.GenerationStart++ },
		"fingerprintMode": func(t *WindowTally) { t.FingerprintMode = "xxh3-kv-2" },
	} {
		x := lawful()
		if change(x); x.LawHash() == want {
			t.Errorf("another %s has the same hash", name)
		}
	}
	x := lawful()
	x.Arrival, x.LatencyBasis, x.Codec, x.Digest = &Latency{Sum: 3}, BasisCreateTime, "json2", "e"
	if x.LawHash() != want {
		t.Error("what is outside the law changes the hash")
	}
}

func TestLawHashIsTheSameAfterTheWire(t *testing.T) {
	r := &Record{Kind: KindWindow, Identity: Identity{Tier: "t", Topic: "orders", Window: Window{Start: 600, Size: 600}}, Version: 90, Tally: lawful()}
	d, err := Decode(r.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	if d.Tally.LawHash() != r.Tally.LawHash() {
		t.Error("a record that was written and read has another hash")
	}
}

func BenchmarkLawHash(b *testing.B) {
	t := lawful()
	b.ReportAllocs()
	for b.Loop() {
		t.LawHash()
	}
}
