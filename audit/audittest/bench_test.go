package audittest

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditsarama"
)

// BenchmarkSaramaAsync is for profiles; the embedded broker is in them. Command bench
// measures on Apache Kafka.
func BenchmarkSaramaAsync(b *testing.B) {
	for _, counted := range []bool{false, true} {
		name := "plain"
		if counted {
			name = "counted"
		}
		b.Run(name, func(b *testing.B) {
			c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
			must(b, err)
			defer c.Close()
			r, err := audit.NewRecorder(audit.Options{Tier: "bench", Reporter: &newest{windows: map[string]*audit.Record{}}})
			must(b, err)
			defer r.Close(b.Context())
			config := sarama.NewConfig()
			var p sarama.AsyncProducer
			if counted {
				p, err = auditsarama.NewAsyncProducer(c.ListenAddrs(), config, r)
			} else {
				p, err = sarama.NewAsyncProducer(c.ListenAddrs(), config)
			}
			must(b, err)
			value := sarama.ByteEncoder(make([]byte, 200))
			b.ReportAllocs()
			for b.Loop() {
				p.Input() <- &sarama.ProducerMessage{Topic: "orders", Value: value}
			}
			must(b, p.Close())
		})
	}
}
