package audit

import (
	"strings"
	"testing"
)

func TestRecordsOfTheOriginalDecode(t *testing.T) {
	t.Run("in their own spelling", func(t *testing.T) {
		r := mustDecode(t, golden(t, "original.json", nil))
		want := &Record{
			Kind:     KindWindow,
			Identity: Identity{Tier: "proxy-client", Datacenter: "dc1", Topic: "orders", Partition: NoPartition, Window: Window{Start: 1795285200, Size: 600}},
			Host:     "vm",
			Tally:    &WindowTally{Tally: Tally{Count: 35}, First: -1, Last: -1},
			Original: &OriginalCount{
				UUID:        "776938bb-9355-49e8-ab4f-c2ba08cc5778",
				MeanLatency: ptr(2.45646412e7), Latency95: ptr(2.4768267e7), Latency99: ptr(2.4773867e7), MaxLatency: ptr(2.4773867e7),
			},
		}
		sameRecord(t, r, want)
		if got, want := r.Key(), "orders/-/original/1795285200/776938bb-9355-49e8-ab4f-c2ba08cc5778/-"; got != want {
			t.Errorf("key %s, want %s", got, want)
		}
		if got := r.UUID().String(); got != want.Original.UUID {
			t.Errorf("uuid %s", got)
		}
		again := `{"uuid":"776938bb-9355-49e8-ab4f-c2ba08cc5778","timeBeginInSec":1795285200,"timeEndInSec":1795285800,"topicName":"orders","hostname":"vm",` +
			`"tier":"proxy-client","datacenter":"dc1","totalBytes":0,"count":35,"noTimeCount":0,"malformedCount":0,` +
			`"meanLatency":24564641.2,"latency95":24768267,"latency99":24773867,"maxLatency":24773867}`
		if got := string(r.AppendJSON(nil)); got != again {
			t.Errorf("written again as\n%s\nwant\n%s", got, again)
		}
	})
	t.Run("all 15 fields of the service", func(t *testing.T) {
		r := mustDecode(t, golden(t, "original-service.json", nil))
		w := r.Tally
		if w.Count != 12 || w.Bytes != 3400 || w.NoTime != 2 || w.Malformed != 1 || *r.Original.MeanLatency != -3.5 {
			t.Errorf("decoded %+v %+v", r, w)
		}
	})
	decode := func(fields string) *Record {
		t.Helper()
		return mustDecode(t, []byte(`{"uuid":"u","topicName":"t"`+fields+"}"))
	}
	t.Run("times of any spelling", func(t *testing.T) {
		for fields, want := range map[string]Window{
			`,"timeBeginInSec":-1200,"timeEndInSec":-600`:                  {-1200, 600},
			`,"timeBeginInSec":0,"timeEndInSec":600.0`:                     {0, 600},
			`,"timeBeginInSec":-0.5,"timeEndInSec":6.5`:                    {-1, 7},
			`,"timeBeginInSec":"1.7E3","timeEndInSec":"2300"`:              {1700, 600},
			`,"timeBeginInSec":1.6999999998E12,"timeEndInSec":1.7E12`:      {1699999999800, 200},
			`,"timeBeginInSec":null,"timeEndInSec":null`:                   {0, 0},
			`,"timeBeginInSec":600`:                                        {600, 0},
			``:                                                             {0, 0},
			`,"timeBeginInSec":9.007199254740992E15,"timeEndInSec":"null"`: {1 << 53, 0},
		} {
			if got := decode(fields).Window; got != want {
				t.Errorf("%s: window %+v, want %+v", fields, got, want)
			}
		}
	})
	t.Run("null and absent latencies are none", func(t *testing.T) {
		r := decode(`,"count":0,"meanLatency":null,"latency95":""`)
		if *r.Original != (OriginalCount{UUID: "u"}) {
			t.Errorf("latencies %+v", r.Original)
		}
		if !strings.Contains(string(r.AppendJSON(nil)), `"meanLatency":null,"latency95":null,"latency99":null,"maxLatency":null`) {
			t.Error("null was not kept")
		}
	})
	t.Run("counts of any spelling", func(t *testing.T) {
		for fields, want := range map[string]uint64{`,"count":35`: 35, `,"count":35.0`: 35, `,"count":3.5E1`: 35, `,"count":"35"`: 35, `,"count":null`: 0, ``: 0, `,"count":9223372036854775807`: 1<<63 - 1} {
			if got := decode(fields).Tally.Count; got != want {
				t.Errorf("%s: count %d", fields, got)
			}
		}
	})
	t.Run("strings that are none, and bytes that are not UTF-8", func(t *testing.T) {
		r := decode(",\"hostname\":17,\"tier\":\"caf\xe9\"")
		if r.Host != "17" || r.Tier != "caf\uFFFD" {
			t.Errorf("host %q, tier %q", r.Host, r.Tier)
		}
	})
	t.Run("written again under a key, it is still the same source", func(t *testing.T) {
		r := decode(`,"count":3,"site":"b"`)
		r.Owner = "collect-1"
		back := mustDecode(t, r.AppendJSON(nil))
		sameRecord(t, back, r)
		if back.IdentityKey() != "t/-/original/0/u" || back.Key() != "t/-/original/0/u/collect-1" || string(back.Extra["site"]) != `"b"` {
			t.Errorf("key %s, extra %s", back.Key(), back.Extra)
		}
	})
	t.Run("what cannot be meant is refused by name", func(t *testing.T) {
		for b, want := range map[string]string{
			`{}`: "topicName: missing; uuid: missing",
			`{"uuid":"u","topicName":"t","count":-1}`:                            "count: want",
			`{"uuid":"u","topicName":"t","count":1.5}`:                           "count: want",
			`{"uuid":"u","topicName":"t","count":1e30}`:                          "count: want",
			`{"uuid":"u","topicName":"t","timeBeginInSec":600,"timeEndInSec":0}`: "timeEndInSec: before",
			`{"uuid":"u","topicName":"t","timeBeginInSec":1e300}`:                "timeBeginInSec: out of range",
			`{"uuid":"u","topicName":"t","meanLatency":"NaN"}`:                   "meanLatency: want a number",
			`{"uuid":"u","topicName":"t","meanLatency":1e999}`:                   "meanLatency: want a number",
			`{"uuid":"u","topicName":["t"]}`:                                     "topicName: want a string",
		} {
			if _, err := Decode([]byte(b)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error is %v, want %q", b, err, want)
			}
		}
	})
}

// FuzzDecodeOriginal puts text where the original's values are.
func FuzzDecodeOriginal(f *testing.F) {
	f.Add(`"u"`, `1.7952852E9`, `1.7952858E9`, `35`, `2.4768267E7`)
	f.Add(`5`, `"-0.5"`, `null`, `3.5E1`, `null`)
	f.Add(`"\ud800"`, `-1200`, `-600`, `""`, `-0`)
	f.Fuzz(func(t *testing.T, uuid, begin, end, count, latency string) {
		checkDecodes(t, []byte(`{"count":`+count+`,"latency95":`+latency+`,"timeBeginInSec":`+begin+`,"timeEndInSec":`+end+`,"topicName":"t","uuid":`+uuid+`}`))
	})
}
