package audittest

import (
	"encoding/json"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/reportertest"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// The Reporters of the adapters are as every Reporter has to be.
func TestReportersBringWhatTheyAreGiven(t *testing.T) {
	for name, open := range map[string]func(*testing.T, []string, string) audit.Reporter{
		"sarama": reportSarama, "franz": reportFranz, "kafka-go": reportKafkago, "confluent": reportConfluent,
	} {
		t.Run(name, func(t *testing.T) {
			kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
				topic := kafkatest.Name(t, "audit")
				c.MustCreateTopic(t, topic, 4, nil)
				reportertest.Run(t, func(t *testing.T) (audit.Reporter, func() []*audit.Record) {
					return open(t, c.Brokers(), topic), func() (all []*audit.Record) {
						for _, m := range look(t, c.Brokers(), topic, 1) {
							var r audit.Record
							must(t, json.Unmarshal(m.Value, &r))
							all = append(all, &r)
						}
						return all
					}
				})
			})
		})
	}
}
