package produce

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Topic is one to write to.
type Topic struct {
	Name string
	// Partitions it gets if it is created.
	Partitions int
}

// Config says what to write. Brokers and Topics must be set.
type Config struct {
	Brokers []string
	Topics  []Topic
	Cluster string // name for TruthRow; nothing else
	Create  bool   // create topics that do not exist

	Rate     float64       // messages per second over all topics; 0 is as fast as possible
	Total    int64         // stop after so many messages; 0 does not
	Duration time.Duration // stop after so long; 0 does not

	// Disorder is how far event times lie before the record timestamp: at
	// random from 0 up to it.
	Disorder time.Duration
	// NoTime and Malformed are the shares, from 0 to 1, of messages without a
	// time and of messages that are not JSON.
	NoTime, Malformed float64
	// Declared says that the audit has a codec declared for these topics, so
	// that malformed messages count as such and not as no-time.
	Declared bool

	PayloadBytes int           // size of values, about; 200 if 0
	Field        string        // that holds the event time; "ts" if empty
	WindowSize   time.Duration // of the truth; 10m if 0

	// Seed makes the same messages again (with Start, to the byte).
	Seed uint64
	// Start, if set, is the record timestamp of the first message; later ones
	// follow at the Rate, or a millisecond apart without one. Otherwise record
	// timestamps are the clock's. On a topic with LogAppendTime the broker
	// replaces them, and the truth is wrong for messages without a time.
	Start time.Time

	// Recorder counts what is sent; nil for nobody. It stamps event times into headers.
	Recorder *audit.Recorder
	// Sarama is the client configuration to start from (TLS, SASL, version);
	// nil is sarama's. It is copied.
	Sarama *sarama.Config
	Log    *slog.Logger     // nil is silent
	Now    func() time.Time // nil is time.Now
}

// check fills in defaults and names every problem.
func (c *Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.PayloadBytes == 0 {
		c.PayloadBytes = 200
	}
	if c.Field == "" {
		c.Field = "ts"
	}
	if c.WindowSize == 0 {
		c.WindowSize = 10 * time.Minute
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if len(c.Brokers) == 0 {
		bad("brokers: none given; want host:port of at least one")
	}
	if len(c.Topics) == 0 {
		bad("topics: none given")
	}
	for _, t := range c.Topics {
		if t.Name == "" || c.Create && t.Partitions < 1 {
			bad("topic %q with %d partitions: want a name and at least 1 partition", t.Name, t.Partitions)
		}
	}
	if c.Rate < 0 || c.Total < 0 || c.Duration < 0 || c.Disorder < 0 {
		bad("rate %g, total %d, duration %s, disorder %s: none may be negative", c.Rate, c.Total, c.Duration, c.Disorder)
	}
	if !(c.NoTime >= 0 && c.Malformed >= 0 && c.NoTime+c.Malformed <= 1) {
		bad("shares without time %g and malformed %g: want numbers from 0 that sum to at most 1", c.NoTime, c.Malformed)
	}
	if c.PayloadBytes < 0 || c.PayloadBytes > 900_000 {
		bad("payload of %d bytes: want at most 900000, to fit a broker's default limit", c.PayloadBytes)
	}
	if err := audit.CheckWindowSize(c.WindowSize); err != nil {
		bad("window size: %w", err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("load generator: %w", errors.Join(errs...))
	}
	return nil
}

// client is the configuration of the producing client: idempotent, so that a
// retry adds nothing, and patient, so that a broker's restart is no error.
func (c *Config) client() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V2_4_0_0 // replication by the broker's default
	if c.Sarama != nil {
		copied := *c.Sarama
		cfg = &copied
	}
	cfg.ClientID = "chaperone-produce"
	cfg.Producer.Idempotent = true
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Net.MaxOpenRequests = 1
	cfg.Producer.Flush.Frequency = 5 * time.Millisecond
	cfg.Producer.Retry.Max = 120
	cfg.Producer.Retry.Backoff = 250 * time.Millisecond
	cfg.Metadata.Retry.Max = 20
	cfg.Metadata.AllowAutoTopicCreation = false
	cfg.Producer.Return.Successes = true
	cfg.Producer.Return.Errors = true
	cfg.Producer.Partitioner = sarama.NewHashPartitioner
	return cfg
}
