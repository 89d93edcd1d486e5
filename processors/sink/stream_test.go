package sink

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
	"github.com/chaperone-audit/chaperone/sinks/memory"
)

func verdict(start, version int64) *compare.Verdict {
	return &compare.Verdict{Topic: "orders", Start: start, Size: 600, Pipeline: "p", State: compare.Provisional, Kind: compare.Complete, Version: version}
}

func encoded(t *testing.T, row interface{ Encode() ([]byte, error) }) []byte {
	t.Helper()
	b, err := row.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatIsOnTheVerdictsTopic(t *testing.T) {
	for name, c := range map[string]struct {
		value     []byte
		keep, bad bool
	}{
		"a verdict":                       {encoded(t, verdict(600, 3)), true, false},
		"a standing":                      {encoded(t, &compare.Standing{Topic: "orders"}), false, false},
		"that a key is gone":              {nil, false, false},
		"what a newer program has put on": {[]byte(`{"record":"prophecy"}`), false, false},
		"what nobody can read":            {[]byte(`{"record":"verdict","topic":`), false, true},
		"a verdict of no window":          {[]byte(`{"record":"verdict","topic":"orders"}`), false, true},
	} {
		v, keep, err := readVerdict(c.value)
		if keep != c.keep || (err != nil) != c.bad || keep && v.Version != 3 {
			t.Errorf("%s: %+v, keep %t, %v", name, v, keep, err)
		}
	}
}

func TestWhatIsAmongAlertEvents(t *testing.T) {
	for name, c := range map[string]struct {
		value     string
		keep, bad bool
	}{
		"an alert":               {`{"key":"k","state":"firing","subject":"missing","version":3,"later":1}`, true, false},
		"that a key is gone":     {``, false, false},
		"what nobody can read":   {`{"key":`, false, true},
		"an alert without a key": {`{"version":3}`, false, true},
	} {
		a, keep, err := readAlert([]byte(c.value))
		if keep != c.keep || (err != nil) != c.bad || keep && (a.Version != 3 || a.Subject != "missing") {
			t.Errorf("%s: %+v, keep %t, %v", name, a, keep, err)
		}
	}
}

// poisonous is a store that rejects the verdicts of a version, and is away at first.
type poisonous struct {
	*memory.Sink
	version  int64
	failures int
}

func (s *poisonous) WriteVerdicts(ctx context.Context, batch []*compare.Verdict) error {
	if s.failures > 0 {
		s.failures--
		return fmt.Errorf("connection refused")
	}
	for _, v := range batch {
		if v.Version == s.version {
			return fmt.Errorf("column x: %w", sinks.ErrRejected)
		}
	}
	return s.Sink.WriteVerdicts(ctx, batch)
}

// TestVerdictsEndInTheStore: with all that is on the topic beside them, and a store that
// is away and objects.
func TestVerdictsEndInTheStore(t *testing.T) {
	c := kafkatest.Kfake(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	config := func() *sarama.Config {
		c := sarama.NewConfig()
		c.Version = sarama.V2_8_0_0
		return c
	}
	topology := processors.DefaultTopology()
	topology.Prefix, topology.Partitions = kafkatest.Name(t, "chaperone"), 2
	must(shards.EnsureTopics(t.Context(), c.Brokers(), config(), 1, topology.Topics()))
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(err)
	defer client.Close()
	topic := string(topology.VerdictsTopic())
	for partition := range int32(2) {
		at := 6000 * int64(partition)
		var batch []*kgo.Record
		for _, value := range [][]byte{
			encoded(t, verdict(at+600, 1)), encoded(t, &compare.Standing{Topic: "orders"}), encoded(t, verdict(at+600, 7)), encoded(t, verdict(at+1200, 13)),
			[]byte("no verdict"), encoded(t, verdict(at+600, 4)), nil, encoded(t, verdict(at+1800, 9)), nil,
		} {
			batch = append(batch, &kgo.Record{Topic: topic, Partition: partition, Key: []byte("orders/-/verdict"), Value: value})
		}
		must(client.ProduceSync(t.Context(), batch...).FirstErr())
	}
	store := &poisonous{Sink: memory.New(memory.Options{}), version: 13, failures: 2}
	metrics := prometheus.NewRegistry()
	p := NewVerdicts(Options{Brokers: c.Brokers(), Config: config, Topology: topology, Log: slog.New(slog.DiscardHandler), Health: &health.Registry{}, Metrics: metrics,
		Store: store, BatchAge: time.Millisecond, RetryAfter: time.Millisecond, RetryAtMost: time.Millisecond})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	defer func() { stop(); must(<-done) }()
	admin, err := sarama.NewClusterAdmin(c.Brokers(), config())
	must(err)
	defer admin.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		offsets, err := admin.ListConsumerGroupOffsets(string(topology.VerdictSinkGroup()), map[string][]int32{topic: {0, 1}})
		must(err)
		a, b := offsets.GetBlock(topic, 0), offsets.GetBlock(topic, 1)
		if a != nil && b != nil && a.Offset == 9 && b.Offset == 9 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("committed %+v and %+v of 9", a, b)
		}
	}
	got, err := store.Verdicts(t.Context(), query.Verdicts{To: 1 << 40})
	must(err)
	said := ""
	for _, v := range got {
		said += fmt.Sprintf("%d:%d ", v.Start, v.Version)
	}
	if said != "600:7 1800:9 6600:7 7800:9 " {
		t.Errorf("the store has %s", said)
	}
	items, aside := p.Aside()
	if aside != 4 {
		t.Errorf("set aside: %+v", items)
	}
	families, err := metrics.Gather()
	must(err)
	counts := map[string]float64{}
	for _, f := range families {
		if m := f.GetMetric()[0]; m.Counter != nil {
			counts[f.GetName()] = m.GetCounter().GetValue()
		}
	}
	for name, want := range map[string]float64{"read": 18, "written": 8, "skipped": 6, "malformed": 2, "rejected": 2, "failures": 2, "imbalances": 0} {
		if got := counts["chaperone_verdict_sink_"+name+"_total"]; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestWhatIsOnTheAlertEventsTopic(t *testing.T) {
	for name, c := range map[string]struct {
		value     string
		keep, bad bool
	}{
		"an alert":             {`{"key":"loss-1","version":3}`, true, false},
		"that a key is gone":   {"", false, false},
		"what nobody can read": {`{"key":`, false, true},
		"one without a key":    {`{"version":3}`, false, true},
	} {
		a, keep, err := readAlert([]byte(c.value))
		if keep != c.keep || (err != nil) != c.bad || keep && a.Version != 3 {
			t.Errorf("%s: %+v, keep %t, %v", name, a, keep, err)
		}
	}
}
