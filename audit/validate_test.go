package audit

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	base := func() map[string]any {
		return map[string]any{"v": 1, "kind": "window", "topicName": "t", "tier": "a", "partition": 0, "version": 1, "timeBeginInSec": 600, "timeEndInSec": 1200, "count": 10}
	}
	with := func(fields map[string]any) []byte {
		m := base()
		for name, v := range fields {
			if v == "absent" {
				delete(m, name)
			} else {
				m[name] = v
			}
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	mustDecode(t, with(nil))
	type f = map[string]any
	progress := func(source f) f {
		return f{"kind": "progress", "owner": "o", "timeBeginInSec": "absent", "timeEndInSec": "absent", "count": "absent", "progress": f{"sources": []any{source}}}
	}
	missed := func(m f) f {
		return f{"kind": "missed", "timeBeginInSec": "absent", "timeEndInSec": "absent", "count": "absent", "missed": m}
	}
	for _, c := range []struct {
		want string
		f    f
	}{
		{"topicName: missing", f{"topicName": "absent"}},
		{"topicName: missing", f{"topicName": nil}},
		{"topicName: missing", f{"topicName": ""}},
		{"tier: missing", f{"tier": ""}},
		{"version: missing", f{"version": "absent"}},
		{"count: missing", f{"count": "absent"}},
		{"timeBeginInSec: missing", f{"timeBeginInSec": "absent"}},
		{"v: missing", f{"v": "absent"}},
		{"v: 0 is no", f{"v": 0}},
		{"kind: missing", f{"kind": "absent"}},
		{"kind: want a string", f{"kind": 5}},
		{"count: want a whole number that is not negative, is \"-1\"", f{"count": -1}},
		{"count: want a whole number", f{"count": "10"}},
		{"count: want a whole number", f{"count": 1.5}},
		{"totalBytes: want a whole number", f{"totalBytes": json.Number("18446744073709551616")}},
		{"partition: want a whole number of 32 bits", f{"partition": 1 << 31}},
		{"partition: -2 is negative", f{"partition": -2}},
		{"generation: -1 is negative", f{"generation": -1}},
		{"version: -1 is negative", f{"version": -1}},
		{"topicId: ", f{"topicId": "short"}},
		{"timeEndInSec: a window of 601 s", f{"timeEndInSec": 1201}},
		{"timeEndInSec: a window of 0 s", f{"timeEndInSec": 600}},
		{"timeBeginInSec: 700 is no multiple", f{"timeBeginInSec": 700, "timeEndInSec": 1300}},
		{"timeBeginInSec: out of range", f{"timeBeginInSec": json.Number("9223372036854774600"), "timeEndInSec": json.Number("9223372036854775200")}},
		{"noTimeCount: 11 of 10", f{"noTimeCount": 11}},
		{"outOfBoundsCount: 3 of 10", f{"noTimeCount": 4, "malformedCount": 4, "outOfBoundsCount": 3}},
		{"latencyBins: 11 of 10", f{"latencyBins": f{"5": 11}, "maxLatency": 2}},
		{"latencyBins.1201: no bin", f{"latencyBins": f{"1201": 1}, "maxLatency": 2}},
		{"latencyBins.-2: no bin", f{"latencyBins": f{"-2": 1}, "maxLatency": 2}},
		{"latencyBins.05: no bin", f{"latencyBins": f{"05": 1}, "maxLatency": 2}},
		{"latencyBins.5: want a whole number", f{"latencyBins": f{"5": -1}, "maxLatency": 2}},
		{"latencyBins: want an object", f{"latencyBins": []int{1}}},
		{"latencyBins: more than 2^64", f{"latencyBins": f{"5": uint64(1) << 63, "6": uint64(1) << 63}, "maxLatency": 2}},
		{"maxLatency: missing", f{"latencyBins": f{"5": 1}}},
		{"maxLatency: without latencyBins", f{"maxLatency": 5}},
		{"latencySum: without latencyBins", f{"latencySum": 5}},
		{"negativeLatencyMax: without", f{"negativeLatencyMax": 5}},
		{"arrival.latencySum: want a whole", f{"arrival": f{"latencySum": -5}}},
		{"arrival: want an object", f{"arrival": true}},
		{"lastOffset: 5 does not go", f{"firstOffset": 6, "lastOffset": 5}},
		{"lastOffset: 5 does not go", f{"lastOffset": 5}},
		{"partial: want true or false", f{"partial": 1}},
		{"fingerprint: want a string of decimal digits", f{"fingerprint": "xyz"}},
		{"fingerprint: want a string of decimal digits", f{"fingerprint": 5}},
		{"fingerprint: want a string of decimal digits", f{"fingerprint": "-5"}},
		{"fingerprintMode: missing", f{"fingerprint": "5"}},
		{"powerSums: want 7, are 1", f{"powerSums": []string{"5"}}},
		{"momentSums: want 7, are 0", f{"momentSums": []string{}}},
		{"momentSums[0]: want a string", f{"momentSums": []any{5, "6", "7", "8", "9", "10", "11"}}},
		{"momentSums: the one at index 6", f{"momentSums": []string{"0", "0", "0", "0", "0", "0", "2305843009213693951"}, "fingerprintMode": "x"}},
		{"fingerprintMode: missing", f{"momentSums": []string{"1", "0", "0", "0", "0", "0", "0"}}},
		{"powerSums[1]: want a string", f{"powerSums": []any{"5", 6, "7", "8", "9", "10", "11"}}},
		{"powerSums: the one at index 0", f{"powerSums": []string{"2305843009213693951", "0", "0", "0", "0", "0", "0"}, "fingerprintMode": "x"}},
		{"sketch: want base64", f{"sketch": "%"}},
		{"sketchMode: missing", f{"sketch": "AAAA"}},
		{"client.attempts: want a whole", f{"client": f{"attempts": "x"}}},
		{"owner: missing", f{"kind": "progress", "progress": f{}}},
		{"progress: missing", f{"kind": "progress", "owner": "o"}},
		{"progress.sources[0].next: missing", progress(f{"partition": 0, "caughtUp": "yes"})},
		{"progress.sources[0].caughtUp: want yes", progress(f{"partition": 0, "next": 1, "caughtUp": "maybe"})},
		{"progress.sources[0].next: 1 is before start", progress(f{"partition": 0, "start": 2, "next": 1, "caughtUp": "no"})},
		{"progress.sources[0].highWatermark: 4 is before end, 5", progress(f{"partition": 0, "next": 1, "end": 5, "highWatermark": 4, "caughtUp": "no"})},
		{"progress.sources[0].highWatermark: -2 is negative", progress(f{"partition": 0, "next": 1, "highWatermark": -2, "caughtUp": "no"})},
		{"progress.sources[0].partition: -1 is negative", progress(f{"partition": -1, "next": 1, "caughtUp": "no"})},
		{"missed.to: missing", missed(f{"from": 0, "reason": "x"})},
		{"missed.to: 1 is before", missed(f{"from": 2, "to": 1, "reason": "x"})},
		{"missed.reason: missing", missed(f{"from": 2, "to": 3})},
		{"instance: missing", f{"kind": "hello"}},
	} {
		b := with(c.f)
		_, err := Decode(b)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error is %v; want %q", b, err, c.want)
		}
	}
	t.Run("all at once", func(t *testing.T) {
		_, err := Decode(with(f{"count": -1, "partition": "x", "fingerprint": "?"}))
		var invalid *InvalidError
		if !errors.As(err, &invalid) || len(invalid.Problems) != 3 {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("what is no object", func(t *testing.T) {
		for _, s := range []string{"", "null", "5", "[]", "{", `{"count":1}x`, "plain text"} {
			if r, err := Decode([]byte(s)); err == nil {
				t.Errorf("%q decodes to %+v", s, r)
			}
		}
	})
}

func TestValidateRefusesWhatCouldNotBeReadBack(t *testing.T) {
	for want, spoil := range map[string]func(r *Record){
		"count: missing":                     func(r *Record) { r.Tally = nil },
		"progress: does not belong":          func(r *Record) { r.Progress = &Progress{} },
		"hostname: not UTF-8":                func(r *Record) { r.Host = "\xff" },
		"count: has a field of its own":      func(r *Record) { r.Extra = map[string]json.RawMessage{"count": json.RawMessage("1")} },
		"x: extra field is not JSON":         func(r *Record) { r.Extra = map[string]json.RawMessage{"x": json.RawMessage("}")} },
		"kind: missing":                      func(r *Record) { r.Kind = "" },
		"uuid: the identity of a record":     func(r *Record) { r.Original = &OriginalCount{UUID: "u"} },
		"count: a record of the original":    func(r *Record) { r.Original = &OriginalCount{UUID: "u"} },
		"latency95: not a finite number":     func(r *Record) { r.Original = &OriginalCount{UUID: "u", Latency95: ptr(math.NaN())} },
		"powerSums: the one at index 6 is n": func(r *Record) { r.Tally.PowerSums[6] = prime },
	} {
		r := samples()["window"]
		spoil(r)
		err := r.Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v; want %q", err, want)
		}
		if _, err := json.Marshal(r); err == nil {
			t.Errorf("json.Marshal takes what Validate refuses for %q", want)
		}
		r.AppendJSON(nil) // does not panic
	}
}

// A record of a few bytes per problem must not become an error of hundreds.
func TestProblemsAreListedUpToABound(t *testing.T) {
	progress := func(sources string) []byte {
		return []byte(`{"v":1,"kind":"progress","topicName":"t","tier":"x","owner":"o","version":1,"progress":{"sources":[` + sources + `]}}`)
	}
	text := ""
	for range 5 {
		_, err := Decode(progress(strings.Repeat("{},", 999) + "{}"))
		var invalid *InvalidError
		if !errors.As(err, &invalid) || len(invalid.Problems) != 20 || invalid.More != 2980 || !strings.HasSuffix(err.Error(), "; and 2980 more") {
			t.Fatalf("got %v", err)
		}
		if text != "" && text != err.Error() {
			t.Errorf("the same record gives %v and %s", err, text)
		}
		text = err.Error()
	}
	bins := map[string]int{}
	for i := range 100 {
		bins[strings.Repeat("x", i+1)] = 1
	}
	b, _ := json.Marshal(bins)
	window := `{"v":1,"kind":"window","topicName":"t","tier":"x","version":1,"timeBeginInSec":0,"timeEndInSec":600,"count":1,"latencyBins":` + string(b) + `}`
	text = ""
	for range 5 { // in another order each time
		_, err := Decode([]byte(window))
		if err == nil || text != "" && text != err.Error() {
			t.Errorf("the same record gives %v and %s", err, text)
			break
		}
		text = err.Error()
	}
	_, err := Decode(progress(strings.Repeat("{},", 100_000) + "{}"))
	if err == nil || !strings.Contains(err.Error(), "progress.sources: want at most 100000, are 100001") {
		t.Errorf("got %v", err)
	}
}
