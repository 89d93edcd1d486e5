package count

import (
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

func TestWhatAMessageMeansToACounter(t *testing.T) {
	selector, err := codecs.NewSelector([]codecs.Rule{{Topics: ".*", Codecs: []string{"json"}}}, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	s := Subject{Extract: selector.For("orders"), Identity: audit.Identity{Window: audit.Window{Size: 600}}}
	const timed, untimed = `{"ts":1772359230000}`, `{"id":7}` // 10:00:30, in the window of 1772359200
	var w audit.Window                                        // of the message before, throughout
	for _, c := range []struct {
		outcome string
		value   string
		time    int64
		want    counter.Event
	}{
		{"the event time decides the window", timed, 1772359231500,
			counter.Event{Window: 1772359200, Event: audit.Event{Class: audit.Timed, Latency: 1500}}},
		{"the same window again", timed, 1772359230000,
			counter.Event{Window: 1772359200, Event: audit.Event{Class: audit.Timed}}},
		{"an event later than its record has a negative latency", timed, 1772359229000,
			counter.Event{Window: 1772359200, Event: audit.Event{Class: audit.Timed, Latency: -1000}}},
		{"without an event time the record timestamp decides", untimed, 1772359800000,
			counter.Event{Window: 1772359800, Event: audit.Event{Class: audit.NoTime}}},
		{"without a record timestamp there is no latency", timed, -1,
			counter.Event{Window: 1772359200, Event: audit.Event{Class: audit.Timed, Latency: audit.NoLatency}}},
		{"without any time it is the window at the epoch", untimed, -1,
			counter.Event{Window: 0, Event: audit.Event{Class: audit.NoTime, Latency: audit.NoLatency}}},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			c.want.Offset, c.want.Time = 42, c.time
			c.want.Bytes, c.want.Hash = 1+len(c.value), audit.Hash([]byte("k"), []byte(c.value))
			var got counter.Event
			s.Event(&logs.Record{Offset: 42, Message: codecs.Message{Key: []byte("k"), Value: []byte(c.value), Time: c.time}}, &w, &got)
			if got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}
