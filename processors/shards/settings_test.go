package shards

import (
	"testing"

	"github.com/IBM/sarama"
)

func TestFetchesAreSharedByBrokers(t *testing.T) {
	for _, c := range []struct{ bytes, brokers, want int }{
		{1 << 30, 1, 8 << 20}, // never more than without a bound
		{16 << 20, 4, 4 << 20},
		{16 << 20, 32, 512 << 10},
		{1 << 20, 1000, 128 << 10},
		{1 << 20, 0, 1 << 20},
		{0, 3, 8 << 20}, // no bound
	} {
		for _, config := range []*sarama.Config{SourceConfig(sarama.NewConfig()), TableConfig(sarama.NewConfig()), GroupConfig(sarama.NewConfig(), "")} {
			f := ShareFetch(config, c.bytes, c.brokers).Consumer.Fetch
			if int(f.MaxBytes) != c.want || f.Default > f.MaxBytes || f.Default <= 0 {
				t.Errorf("%d bytes of %d brokers: %d in a fetch, %d of a partition, want %d", c.bytes, c.brokers, f.MaxBytes, f.Default, c.want)
			}
		}
	}
}
