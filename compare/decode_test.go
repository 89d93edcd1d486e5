package compare

import (
	"reflect"
	"testing"
)

func TestAVerdictIsReadAsItWasWritten(t *testing.T) {
	partition := int32(0)
	v := &Verdict{
		Topic: "orders", Start: 600, Size: 600, Pipeline: "p", State: Amended, Kind: Missing,
		Findings: []Finding{{Kind: Missing, Reason: Unnamed, From: "a", To: "b", Messages: 1<<64 - 1, Bound: AtLeast, Explained: true,
			Places: []Place{{Cluster: "c", Partition: &partition, First: -1, Last: -1}}, IDs: []MessageID{{ID: 1<<61 - 2, Times: -1}}, Detail: "ü"}},
		Tiers:  []Count{{Tier: "a", Messages: 7, Latency: &Percentiles{Count: 7, P50: 0.1}, Datacenters: []Datacenter{{"x", 3}}}},
		Judged: 1, Final: 2, Version: 1<<63 - 1, Digest: "d", AtFinal: map[string]uint64{"b": 1, "a": 2},
	}
	b, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, s, err := Decode(b)
	if err != nil || s != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("got %+v, %v, %v", got, s, err)
	}
}

// A sink of an older version stands between a judge and a reader of a newer one.
func TestWhatANewerProgramSaysIsCarriedOn(t *testing.T) {
	for where, text := range map[string]string{
		"in the verdict":         `{"record":"verdict","topic":"orders","start":600,"size":600,"verdict":"missing","mood":{"a":[1]},"version":9}`,
		"in a finding":           `{"record":"verdict","topic":"orders","start":600,"size":600,"findings":[{"kind":"missing","messages":3,"hue":"red"}]}`,
		"in a place, a tier":     `{"record":"verdict","topic":"orders","size":600,"findings":[{"kind":"late","places":[{"rack":7}]}],"tiers":[{"tier":"a","weight":1.50}]}`,
		"nothing, another order": `{"topic":"orders","size":600,"record":"verdict"}`,
	} {
		v, _, err := Decode([]byte(text))
		if err != nil || v.Topic != "orders" || v.Size != 600 {
			t.Errorf("%s: %+v, %v", where, v, err)
			continue
		}
		b, err := v.Encode()
		if again, _, err2 := Decode(b); err != nil || err2 != nil || !reflect.DeepEqual(again, v) {
			t.Errorf("%s: carried on %s, %v, %v", where, b, err, err2)
		}
		if where[0] == 'i' && string(b) != text {
			t.Errorf("%s: carried on %s", where, b)
		}
	}
}

func TestWhatIsNoVerdictIsSaidToBeNone(t *testing.T) {
	for _, text := range []string{``, `7`, `{"record":"verdict"`, `{"record":"verdict","topic":"orders"}`, `{"record":"verdict","topic":7,"size":600}`, `{"record":"verdict","size":600}`} {
		if v, s, err := Decode([]byte(text)); err == nil {
			t.Errorf("%s: %+v, %+v", text, v, s)
		}
	}
	if v, s, err := Decode([]byte(`{"record":"prophecy"}`)); v != nil || s != nil || err != nil {
		t.Errorf("of another kind: %+v, %+v, %v", v, s, err)
	}
}
