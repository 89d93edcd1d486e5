package count

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

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
			c.want.Moment = audit.Moment([]byte("k"), 0)
			if c.value == timed {
				c.want.Moment = audit.Moment([]byte("k"), 1772359230000)
			}
			var got counter.Event
			s.Event(&logs.Record{Offset: 42, Message: codecs.Message{Key: []byte("k"), Value: []byte(c.value), Time: c.time}}, audit.NoLatency, &w, &got)
			if c.want.Arrival = audit.NoLatency; got != c.want {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			s.Event(&logs.Record{Offset: 42, Message: codecs.Message{Key: []byte("k"), Value: []byte(c.value), Time: c.time}}, 1772359240000, &w, &got)
			if c.value == timed {
				c.want.Arrival = 10_000
			}
			if got != c.want {
				t.Errorf("read when the clock is known: got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

// What has been counted is read again only to see whether it is the same: that must
// not wait for a registry.
func TestACountedMessageIsNotWaitedFor(t *testing.T) {
	s := unstored(t, 1, Options{Windows: 4})
	x := s.list()[0]
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	record := func(o int64) logs.Record {
		return logs.Record{Offset: o, Message: codecs.Message{Value: fmt.Appendf(nil, `{"ts":%d}`, at+o), Time: at + o}}
	}
	if !x.Batch(&logs.Batch{Records: []logs.Record{record(0), record(1)}, Next: 2, Epoch: 3}) {
		t.Fatal("it pauses")
	}
	unready := codecs.Builders{"unready": {Build: func(codecs.Rule, *codecs.Env) (codecs.Codec, error) { return never{}, nil }}}
	selector, err := codecs.NewSelector([]codecs.Rule{{Topics: ".*", Codecs: []string{"unready"}}}, unready, nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	x.subject.Extract = selector.For("t")
	if !x.Batch(&logs.Batch{Records: []logs.Record{record(1)}, Next: 2, Epoch: 3}) || x.wants != nil || x.c.State().Epoch != 3 {
		t.Errorf("it waits for %+v: %+v", x.wants, x.c.State())
	}
	s.reopened = make(chan struct{}, 1)
	if x.Batch(&logs.Batch{Records: []logs.Record{record(1), record(2)}, Next: 3, Epoch: 4}) || x.wants == nil || x.c.Next() != 2 || x.c.State().Epoch != 3 {
		t.Errorf("it goes on at %d, epoch %d, waiting for %+v", x.c.Next(), x.c.State().Epoch, x.wants)
	}
	if stats := x.c.Stats(); stats.Counted != 2 || stats.Again != 2 || x.handed != 4 {
		t.Errorf("%+v, %d handed over", stats, x.handed)
	}
	if x.c.Broken() != nil {
		t.Error(x.c.Broken())
	}
}

// never is a codec that never learns.
type never struct{}

func (never) Name() string                                     { return "never" }
func (never) Basis() string                                    { return audit.BasisPayload }
func (never) EventTime(*codecs.Message) (int64, codecs.Status) { return 0, codecs.Unready }
func (never) Learn(context.Context, *codecs.Message) error     { return errors.New("never") }
