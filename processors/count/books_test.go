package count

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// bookkept is a source of an instance that is connected to nothing.
func bookkept(t *testing.T) (*source, *health.Registry) {
	t.Helper()
	selector, err := codecs.NewSelector(nil, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	r := &health.Registry{}
	p := New(Options{Topology: processors.DefaultTopology(), Codecs: selector, Log: slog.New(slog.DiscardHandler), Health: r,
		Metrics: prometheus.NewRegistry(), WindowSize: 10 * time.Minute, Clusters: []Cluster{{Name: "c1"}}})
	t.Cleanup(p.books.Close)
	s := &shard{p: p, sources: map[audit.Source]*source{}}
	x := s.source(audit.Source{Cluster: "c1", Topic: "orders", Partition: 3})
	x.c, _ = counter.Recover(counter.Options{Owner: "o", Windows: 4}, counter.Edges{Oldest: 0, Newest: 100}, nil)
	x.c.Acked(x.c.Flush(nil)) // its birth
	x.c.Confirmed()
	return x, r
}

func valueOf(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var v dto.Metric
	if err := c.Write(&v); err != nil {
		t.Fatal(err)
	}
	return v.GetCounter().GetValue()
}

// read hands over the messages at some offsets.
func (x *source) read(offsets ...int64) {
	b := &logs.Batch{Next: offsets[len(offsets)-1] + 1, Stable: -1, Start: -1, Epoch: -1}
	for _, o := range offsets {
		b.Records = append(b.Records, logs.Record{Offset: o, Message: codecs.Message{Value: []byte(`{"ts":1700000000000}`), Time: 1_700_000_000_000 + o}})
	}
	x.Batch(b)
}

func (x *source) flush() error {
	x.c.Acked(x.c.Flush(func(counter.Key, *counter.Row) {}))
	return x.balance()
}

func TestWhatIsHandedOverIsAccountedFor(t *testing.T) {
	x, _ := bookkept(t)
	x.read(0, 1, 2)
	x.read(2, 1, 3) // the last one again, and one that comes too late
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	m := x.shard.p.metrics
	for c, want := range map[prometheus.Counter]float64{m.handed: 6, m.messages: 4, m.replayed: 0, m.again: 1, m.below: 1, m.dropped: 0} {
		if got := valueOf(t, c); got != want {
			t.Errorf("%s is %v, want %v", c.Desc(), got, want)
		}
	}
}

func TestAnImbalanceIsAnAlarm(t *testing.T) {
	for name, c := range map[string]struct {
		defect func(*source)
		want   string
	}{
		"a message that nobody accounts for": {func(x *source) { x.handed++ }, "handed over 4 messages and 3 are accounted for"},
		"a row that its ledger contradicts": {func(x *source) {
			x.c.Add(&counter.Event{Offset: 9, Window: 600})
			x.handed++
			x.c.Flush(func(_ counter.Key, r *counter.Row) { r.Count++ }) // handed out, and damaged
		}, "rows hold 5 messages and the ledger 4"},
	} {
		t.Run(name, func(t *testing.T) {
			x, r := bookkept(t)
			x.read(0, 1, 2)
			if err := x.flush(); err != nil {
				t.Fatal(err)
			}
			c.defect(x)
			err := x.flush()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("found %v, want %q", err, c.want)
			}
			p := x.shard.p
			p.imbalance(x.Source, err)
			list, _ := r.Reports()
			for _, part := range list {
				if part.Part == "count books" && part.State == health.Degraded && strings.Contains(part.Reason, "c1:orders/3: ") && strings.Contains(part.Reason, c.want) {
					list = nil
					break
				}
			}
			if list != nil || valueOf(t, p.metrics.imbalances) != 1 {
				t.Errorf("health %+v, counted %v", list, valueOf(t, p.metrics.imbalances))
			}
			if err := x.flush(); err != nil {
				t.Errorf("found a second time: %v", err)
			}
		})
	}
}
