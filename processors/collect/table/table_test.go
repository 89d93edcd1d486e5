package table

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

func TestValueRoundTrip(t *testing.T) {
	for _, r := range []Row{
		{JSON: []byte(`{}`)},
		{Appended: 1700000000000, Offset: 12, Version: 99, Base: 3, Until: 1700000400, Count: 7, JSON: []byte(`{"v":1}`)},
		{Appended: math.MinInt64, Offset: math.MaxInt64, Version: -1, Base: math.MaxInt64, Until: math.MinInt64, Count: math.MaxUint64, JSON: []byte(`{"a":"b"}`)},
	} {
		got, err := Parse(r.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.JSON, r.JSON) {
			t.Errorf("record %s, want %s", got.JSON, r.JSON)
		}
		got.JSON, r.JSON = nil, nil
		if got.Appended != r.Appended || got.Offset != r.Offset || got.Version != r.Version || got.Base != r.Base || got.Until != r.Until || got.Count != r.Count {
			t.Errorf("got %+v, want %+v", got, r)
		}
	}
}

func TestValueCutShortIsRefused(t *testing.T) {
	r := Row{Appended: 1 << 40, Offset: 1 << 40, Version: 1 << 40, Base: 1 << 40, Until: 1 << 40, Count: 1 << 40, JSON: []byte(`{`)}
	whole := r.Append(nil)
	for n := range whole {
		if _, err := Parse(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(whole))
		}
	}
}

func TestValueOfAnotherFormatIsRefused(t *testing.T) {
	r := Row{JSON: []byte(`{}`)}
	b := r.Append(nil)
	b[0]++
	if _, err := Parse(b); err == nil || !strings.Contains(err.Error(), "update") {
		t.Errorf("error %v, want one that says to update", err)
	}
}

func FuzzParse(f *testing.F) {
	r := Row{Appended: 1700000000000, Offset: 12, Version: 99, Until: 1700000400, Count: 7, JSON: []byte(`{"v":1}`)}
	f.Add(r.Append(nil))
	f.Add([]byte{format})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			return
		}
		again, err := Parse(r.Append(nil))
		if err != nil || !bytes.Equal(again.JSON, r.JSON) || again.Count != r.Count || again.Until != r.Until || again.Version != r.Version {
			t.Errorf("%+v written and read is %+v, %v", r, again, err)
		}
		r.Old(1700000000000, time.Hour) // must not panic
	})
}

// names are hard on keys: separators, escapes, empty ones.
var names = []string{"orders", "", "-", "a/b", "%2F", "%", "%25", "--", "日本", "a-b"}

func TestIdentityIsReadBackFromItsKey(t *testing.T) {
	for i, name := range names {
		other := names[(i+3)%len(names)]
		want := audit.Identity{
			Tier: other, Datacenter: name, Cluster: other, Topic: name, TopicID: audit.TopicID{1, 2, byte(i)}, Partition: int32(i) - 1,
			Instance: name, Window: audit.Window{Start: -600, Size: 600}, Generation: int64(i), Segment: 5,
		}
		for _, kind := range []audit.Kind{audit.KindWindow, audit.KindProgress, audit.KindMissed} {
			r := audit.Record{Kind: kind, Identity: want, Owner: other}
			got, err := ParseIdentity(r.IdentityKey())
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind != kind || got.Identity != want {
				t.Errorf("%s reads as %s %+v, want %+v", r.IdentityKey(), got.Kind, got.Identity, want)
			}
			identity, owner, err := Cut(Key(r.IdentityKey(), "session"))
			if err != nil || identity != r.IdentityKey() || owner != "session" {
				t.Errorf("key cut into %q, %q, %v", identity, owner, err)
			}
			if p := Prefix(name, kind); !strings.HasPrefix(r.Key(), p) || Limit(p) <= r.Key() || !strings.HasPrefix(p, Prefix(name, "")) {
				t.Errorf("key %q is not between %q and %q", r.Key(), p, Limit(p))
			}
		}
	}
}

func TestIdentityOfAnOriginalGivesTopicAndWindow(t *testing.T) {
	r := audit.Record{Kind: audit.KindWindow, Identity: audit.Identity{Topic: "a/b", Window: audit.Window{Start: 600, Size: 600}}, Original: &audit.OriginalCount{UUID: "u"}}
	got, err := ParseIdentity(r.IdentityKey())
	if err != nil || got.Kind != KindOriginal || got.Topic != "a/b" || got.Start != 600 {
		t.Errorf("%s reads as %+v, %v", r.IdentityKey(), got, err)
	}
}

func FuzzParseIdentity(f *testing.F) {
	r := audit.Record{Kind: audit.KindWindow, Identity: audit.Identity{Topic: "a/b", Window: audit.Window{Start: 600, Size: 600}}}
	f.Add(r.IdentityKey())
	f.Add("a/-/original/600/u")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseIdentity(s)
		if err != nil || id.Kind == KindOriginal {
			return
		}
		r := audit.Record{Kind: id.Kind, Identity: id.Identity}
		if again, err := ParseIdentity(r.IdentityKey()); err != nil || again != id {
			t.Errorf("%q reads as %+v; its key %q as %+v, %v", s, id, r.IdentityKey(), again, err)
		}
	})
}

func TestTheNewestRowIsNoMatterOfOrder(t *testing.T) {
	low, high, again := Row{Version: 3, Offset: 50}, Row{Version: 7, Offset: 10}, Row{Version: 7, Offset: 60}
	for i, c := range []struct {
		a, b Row
		want bool
	}{{high, low, true}, {low, high, false}, {again, high, false}, {high, again, true}, {low, low, false}} {
		if got := c.a.Newer(&c.b); got != c.want {
			t.Errorf("%d: newer is %t", i, got)
		}
	}
}

func TestRowsBecomeOld(t *testing.T) {
	const hour = 3600
	now := int64(1_000_000) * 1000
	at := func(hours int64) int64 { return now/1000 + hours*hour }
	for name, c := range map[string]struct {
		row Row
		old bool
	}{
		"a window that ended within the horizon stays":           {Row{Until: at(-1), Appended: now}, false},
		"a window that ended before the horizon is old":          {Row{Until: at(-3), Appended: now}, true},
		"a window of the future stays after its record":          {Row{Until: at(90), Appended: at(-3) * 1000}, false},
		"a window of the future does not stay for ever":          {Row{Until: at(90), Appended: at(-5) * 1000}, true},
		"what is no window stays within the horizon":             {Row{Appended: at(-1) * 1000}, false},
		"what is no window is old a horizon after its record":    {Row{Appended: at(-3) * 1000}, true},
		"an end beyond all reason does not stay for ever either": {Row{Until: math.MaxInt64, Appended: at(-5) * 1000}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.row.Old(now, 2*time.Hour); got != c.old {
				t.Errorf("old is %t", got)
			}
		})
	}
}
