package api_test

import (
	"encoding/json"
	"testing"
)

// The answers are read as the tools read them: parseResponse of the two clients of Apache
// Gobblin, and C3QueryUtils.extractJsonResults of uReplicator.
func TestOtherToolsReadTheAnswers(t *testing.T) {
	w := fake()
	w.standings[1].Until = now.Unix()
	s := w.server()
	for target, member := range map[string]string{
		"/gobblin/audit?topic=orders&start=1769857200000&end=1769860200000": "totalsPerTier",
		"/gobblin/audit/orders?begin=1769857200000&end=1769860200000":       "result",
	} {
		var answer map[string]map[string]int64
		if err := json.Unmarshal(ask(s, "GET", target, "").Body.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if got := answer[member]; len(got) != 2 || got["regional"] != 7 || got["aggregate"] != 2 {
			t.Errorf("%s: %v", target, answer)
		}
	}
	var metrics map[string][]struct{ StartTimeSec, EndTimeSec, TotalBytes, TotalCount *int64 }
	if err := json.Unmarshal(ask(s, "GET", "/chaperone3/rawmetrics?startSec=1769857200&endSec=1769860800&tier=east&topicList=orders,payments", "").Body.Bytes(), &metrics); err != nil {
		t.Fatal(err)
	}
	m := metrics["orders"]
	if len(m) != 1 || *m[0].EndTimeSec-*m[0].StartTimeSec != 3600 || *m[0].TotalCount != 8 || *m[0].TotalBytes != 1210 {
		t.Errorf("got %+v", m)
	}
}
