package count

import (
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A topic is made again under its name while its log looks cut. What was asked for by
// name was answered for the new one, so the old one is not opened; others are.
func TestATopicMadeAgainIsNotTakenForOneThatWasCut(t *testing.T) {
	k := kafkatest.Kfake(t)
	for _, topic := range []string{"orders", "payments"} {
		if err := k.CreateTopic(t.Context(), topic, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c := &cluster{Cluster: Cluster{Name: "c", Brokers: k.Brokers(), Config: func() *sarama.Config {
		c := sarama.NewConfig()
		c.Version = sarama.V2_8_0_0
		return c
	}, Audited: func(string) bool { return true }}, health: (&health.Registry{}).Part("c"), log: log}
	defer c.close()
	s := &shard{p: &Processor{log: log, dir: newDirectory(1, log)}, table: map[audit.Source][]entry{}}
	if err := s.p.dir.poll(c); err != nil {
		t.Fatal(err)
	}
	var sources []*source
	for _, topic := range []string{"orders", "payments"} {
		listed, _ := s.p.dir.topic("c", topic)
		sources = append(sources, &source{Source: audit.Source{Cluster: "c", Topic: topic, TopicID: listed.ID}})
	}
	sources[1].lost = &logs.OutOfRange{Offset: 7}
	if err := k.DeleteTopic(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if err := k.CreateTopic(t.Context(), "orders", 1, nil); err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(sources)
	left, err := s.still(c, sources, nil)
	if err != nil || len(left) != 1 || left[0] != before[1] {
		t.Errorf("left %v, %v; want payments", left, err)
	}
	if !slices.Equal(sources, before) {
		t.Error("the caller's list has changed")
	}
}
