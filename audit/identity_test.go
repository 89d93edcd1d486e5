package audit

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestAnIdOfANameIsTheSameForEver(t *testing.T) {
	if got := NamedTopicID("west.orders").String(); got != "LLvRU5lKVnaj1T-XjqO_eQ" {
		t.Errorf("it is %s", got)
	}
}

func TestKeysAndUUIDsNeverChange(t *testing.T) {
	// The uuids were computed by another implementation of RFC 9562.
	for name, want := range map[string][2]string{
		"window":        {"orders/-/window/1795285200/600/regional/dc1/kafka-dc1/AQIDBAUGBwgJCgsMDQ4PEA/3/-/2/5/count-1.7f3a", "60897db5-0283-5bf6-a199-47d766fd9a19"},
		"window-client": {"orders/-/window/-600/600/proxy-client/dc1/-/AAAAAAAAAAAAAAAAAAAAAA/-1/checkout-5%2Fé/0/0/count-1.7f3a", "aa968764-6d44-5c95-96ba-a8b94f91eecc"},
		"progress":      {"orders/-/progress/0/0/regional/dc1/kafka-dc1/AQIDBAUGBwgJCgsMDQ4PEA/-1/-/0/0/count-1.7f3a", "26c4c9c7-c000-5533-8175-34baab5286ee"},
	} {
		r := samples()[name]
		if got := r.Key(); got != want[0] {
			t.Errorf("%s: key\n%s\nwant\n%s", name, got, want[0])
		}
		if got := r.UUID().String(); got != want[1] {
			t.Errorf("%s: uuid %s, want %s", name, got, want[1])
		}
	}
}

func TestTheWriterIsNoPartOfTheIdentity(t *testing.T) {
	r := samples()["window"]
	other := *r
	other.Owner, other.Host = "count-2.ff00", "host-2"
	if r.IdentityKey() != other.IdentityKey() || r.UUID() != other.UUID() {
		t.Error("another owner gives another identity")
	}
	if r.Key() == other.Key() {
		t.Error("two owners write the same key")
	}
	t.Run("but of progress it is, because sequences of two owners do not compare", func(t *testing.T) {
		r := samples()["progress"]
		other := *r
		other.Owner = "count-2.ff00"
		if r.IdentityKey() == other.IdentityKey() || r.UUID() == other.UUID() || r.IdentityKey() != r.Key() {
			t.Error("two owners have the same progress")
		}
	})
}

func TestEveryPartOfTheIdentityIsInKeyAndUUID(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"kind":       func(r *Record) { r.Kind = KindMissed },
		"tier":       func(r *Record) { r.Tier += "x" },
		"datacenter": func(r *Record) { r.Datacenter += "x" },
		"cluster":    func(r *Record) { r.Cluster += "x" },
		"topic":      func(r *Record) { r.Topic += "x" },
		"topic id":   func(r *Record) { r.TopicID[15]++ },
		"partition":  func(r *Record) { r.Partition++ },
		"instance":   func(r *Record) { r.Instance += "x" },
		"start":      func(r *Record) { r.Start += 600 },
		"size":       func(r *Record) { r.Size *= 2 },
		"generation": func(r *Record) { r.Generation++ },
		"segment":    func(r *Record) { r.Segment++ },
	} {
		r := samples()["window"]
		other := *r
		change(&other)
		if r.Key() == other.Key() || r.IdentityKey() == other.IdentityKey() || r.UUID() == other.UUID() {
			t.Errorf("another %s gives the same key or uuid", name)
		}
	}
	newer := *samples()["window"]
	newer.Version++
	if newer.UUID() == samples()["window"].UUID() || newer.Key() != samples()["window"].Key() {
		t.Error("the version belongs into the uuid and not into the key")
	}
}

func TestPartsOfKeysCannotRunTogether(t *testing.T) {
	seen := map[string]string{}
	texts := []string{"", "-", "/", "%", "%2F", "%2D", "a/b", "a", "--"}
	for _, topic := range texts {
		for _, instance := range texts {
			r := Record{Kind: KindHello, Identity: Identity{Topic: topic, Instance: instance}}
			key := r.Key()
			if was, ok := seen[key]; ok {
				t.Errorf("%q and %q have the same key %s", was, topic+","+instance, key)
			}
			seen[key] = topic + "," + instance
			if parts := strings.Split(key, "/"); len(parts) != 14 || parts[1] != "-" {
				t.Errorf("key %s has %d parts", key, len(parts))
			}
		}
	}
}

func TestTopicIDsSurvive(t *testing.T) {
	for _, id := range []TopicID{{}, {1, 2, 3}, {15: 255}, {0: 0xfb, 1: 0xff}} {
		if back, err := ParseTopicID(id.String()); err != nil || back != id {
			t.Errorf("%v comes back as %v, %v", id, back, err)
		}
	}
	for _, s := range []string{"", "AAAA", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAA+", strings.Repeat("A", 23)} {
		if id, err := ParseTopicID(s); err == nil {
			t.Errorf("%q gives %v", s, id)
		}
	}
}

func TestWindowsTileTime(t *testing.T) {
	for _, c := range []struct{ ms, size, start int64 }{
		{0, 600, 0}, {599_999, 600, 0}, {600_000, 600, 600}, {-1, 600, -600}, {-600_000, 600, -600}, {-600_001, 600, -1200},
		{1795285799_999, 600, 1795285200}, {1, 1, 0}, {-1, day, -day},
	} {
		w := WindowAt(c.ms, c.size)
		if w != (Window{c.start, c.size}) || w.End() != c.start+c.size || !w.To().Equal(w.From().Add(time.Duration(c.size)*time.Second)) {
			t.Errorf("%d ms is in %v, want start %d", c.ms, w, c.start)
		}
	}
	rng := newRand(t)
	for range 10_000 {
		ms := int64(rng.Uint64()) >> rng.IntN(64)
		size := []int64{1, 7, 60, 600, day}[rng.IntN(5)]
		w := WindowAt(ms, size)
		// Compared in seconds, since the bounds in ms may overflow at the edges.
		s := floorDiv(ms, 1000)
		if w.Start%size != 0 || s < w.Start || s >= w.End() {
			t.Fatalf("%d ms is in %v", ms, w)
		}
	}
	for _, ms := range []int64{math.MinInt64, math.MaxInt64} {
		var e InvalidError
		if WindowAt(ms, day).validate(&e); len(e.Problems) > 0 {
			t.Errorf("the window of %d ms is not valid: %v", ms, &e)
		}
	}
	if got := WindowAt(1795285799_999, 600).String(); got != "2026-11-21T18:20:00Z+10m0s" {
		t.Errorf("reads %s", got)
	}
}

func TestWindowSizesDivideADay(t *testing.T) {
	for _, size := range []time.Duration{time.Second, time.Minute, 10 * time.Minute, time.Hour, 24 * time.Hour} {
		if err := CheckWindowSize(size); err != nil {
			t.Error(err)
		}
	}
	for _, size := range []time.Duration{0, -time.Minute, time.Millisecond, 1500 * time.Millisecond, 7 * time.Second, 48 * time.Hour} {
		if CheckWindowSize(size) == nil {
			t.Errorf("%s is taken for a window size", size)
		}
	}
}
