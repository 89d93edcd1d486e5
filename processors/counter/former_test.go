package counter

import (
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

// A codec that holds from a record timestamp on is rolled out before that: what has
// been counted then means the same under it, and nothing is cut. Rolled out too late
// it would count the same messages differently, and that is a new generation.
func TestACodecThatFollowsUponAnother(t *testing.T) {
	const until = 5000 // events are a second apart, by their offsets
	for _, x := range []struct {
		name    string
		counted int64 // messages under the old codec
		former  []Former
		ahead   bool // the old owner died between rows and ledger
		fresh   bool
	}{
		{name: "rolled out in time", counted: 5, former: []Former{{"json", until}}},
		{name: "a message too late", counted: 6, former: []Former{{"json", until}}, fresh: true},
		{name: "of two that it follows upon, the older", counted: 5, former: []Former{{"json", until}, {"xml", 9000}}},
		{name: "one that it does not follow upon", counted: 5, former: []Former{{"xml", until}}, fresh: true},
		{name: "rows whose timestamps nobody knows", counted: 4, former: []Former{{"json", until}}, ahead: true, fresh: true},
	} {
		t.Run(x.name, func(t *testing.T) {
			tab := table{}
			c := tab.started(t, "a")
			for o := range x.counted {
				c.Add(event(o, 0))
			}
			tab.round(t, c)
			if x.ahead {
				c.Add(event(x.counted, 0))
				tab.rows(c)
			}
			o := options("b")
			o.Digest, o.Former = "avro", x.former
			c, found := Recover(o, Edges{0, 1000}, tab)
			if found.Fresh != x.fresh || x.fresh && found.Reason != audit.MissedConfig {
				t.Fatalf("found %+v", found)
			}
			if x.fresh {
				return
			}
			// While it is rolled out, those with the old codec take over now and then.
			tab.round(t, c)
			old := options("c")
			if back, found := Recover(old, Edges{0, 1000}, tab); found.Fresh || back.State().Reading != "json" {
				t.Errorf("an owner with the old codec finds %+v", found)
			}
			for o := c.Next(); o < 10; o++ {
				c.Add(event(o, 0))
			}
			tab.round(t, c)
			led := c.State()
			if led.Generation != 0 || led.Total != 10 || led.Digest != "json" || led.Reading != "avro" || led.Newest != 9000 {
				t.Errorf("ledger %+v", led)
			}
			// Now the new codec has counted what only it reads so.
			if _, found = Recover(o, Edges{0, 1000}, tab); found.Fresh {
				t.Errorf("recovered again: %+v", found)
			}
			if _, found = Recover(options("c"), Edges{0, 1000}, tab); !found.Fresh {
				t.Error("the old codec goes on where it must not")
			}
			if err := c.Restart(20, audit.MissedRetention); err != nil || c.State().Digest != "avro" {
				t.Errorf("a new generation begins with digest %s: %v", c.State().Digest, err)
			}
		})
	}
}
