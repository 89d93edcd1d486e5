package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditfranz"
	"github.com/chaperone-audit/chaperone/internal/produce"
)

// consumer is a command line of consume.
type consumer struct {
	*settings
	cluster, group, from string
	topics               []string
	rate                 float64
	total                int64
	idle                 time.Duration
	verbose              bool
	tier, field          string
	counted              bool
}

func newConsume(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "consume",
		Short: "Read messages of topics, and be counted while doing so",
		Long: `Reads messages of topics, as an application would, until it is interrupted or there
are no more. It counts itself with the audit library: what was delivered to it are
attempts, what it has processed successes of its tier. So it shows what an
application of your own would do, and whether what was produced can be consumed.
Without brokers it reads from the embedded Kafka of a running standalone.`,
		Example: `  chaperone consume --topics orders,clicks --from earliest
  chaperone consume --brokers localhost:9092 --topics orders --group billing --rate 100 --verbose`,
		Args: noArgs,
	}
	c := &consumer{settings: addSettings(cmd, p)}
	f := cmd.Flags()
	f.StringSliceVar(&c.topics, "topics", []string{"orders", "clicks"}, "`names` of the topics to read")
	f.StringVar(&c.cluster, "cluster", "", "`name` of the cluster to read from (default: the first)")
	f.StringVar(&c.group, "group", "", "consumer `group`; its offsets are committed, so the next run goes on there (default: none)")
	f.StringVar(&c.from, "from", "earliest", "where to begin without offsets of the group: earliest or latest")
	f.Float64Var(&c.rate, "rate", 0, "messages per second at most; 0: as fast as possible")
	f.Int64Var(&c.total, "total", 0, "stop after so many messages; 0: do not")
	f.DurationVar(&c.idle, "idle", 0, "stop when no message has come for so long; 0: do not")
	f.BoolVarP(&c.verbose, "verbose", "v", false, "print each message")
	f.StringVar(&c.tier, "tier", "consumer", "point of the pipeline that this is")
	f.StringVar(&c.field, "field", "ts", "name of the member that holds the event time of messages without a header that does")
	f.BoolVar(&c.counted, "count", true, "count what is read and report it to the audit topic")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.from != "earliest" && c.from != "latest" {
			return &usageError{cmd, fmt.Sprintf("--from: %q must be earliest or latest", c.from)}
		}
		if len(c.topics) == 0 {
			return &usageError{cmd, "--topics: name at least one"}
		}
		return c.run(cmd)
	}
	return cmd
}

func (c *consumer) run(cmd *cobra.Command) error {
	conf, _, err := c.load()
	if err != nil {
		return err
	}
	var to produce.Config
	k, err := target(&conf, c.cluster, &to)
	if err != nil {
		return &usageError{cmd, err.Error()}
	}
	k.Brokers = to.Brokers
	opts, err := k.Franz("chaperone-consume")
	if err != nil {
		return err
	}
	offset := kgo.NewOffset().AtStart()
	if c.from == "latest" {
		offset = kgo.NewOffset().AtEnd()
	}
	opts = append(opts, kgo.ConsumeTopics(c.topics...), kgo.ConsumeResetOffset(offset), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if c.group != "" {
		opts = append(opts, kgo.ConsumerGroup(c.group), kgo.AutoCommitMarks())
	}
	counting := &counting{}
	if c.counted {
		if counting, err = count(&conf, c.tier, eventTimes(c.field), cmd.ErrOrStderr()); err != nil {
			return err
		}
		opts = append(opts, auditfranz.Hooks(counting.recorder))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return errors.Join(err, counting.close())
	}
	ctx, stop := untilSignal(cmd.Context(), cmd.ErrOrStderr(), "what was read since the last report is not counted")
	defer stop()
	n, err := c.read(ctx, client, counting.recorder, cmd.OutOrStdout())
	client.Close()
	fmt.Fprintf(cmd.OutOrStdout(), "%d messages read\n", n)
	return errors.Join(err, counting.close())
}

// read reads until there is an end, and says how many messages it has read.
func (c *consumer) read(ctx context.Context, client *kgo.Client, recorder *audit.Recorder, out io.Writer) (n int64, err error) {
	begin := time.Now()
	for c.total == 0 || n < c.total {
		waiting, cancel := ctx, context.CancelFunc(func() {})
		if c.idle > 0 {
			waiting, cancel = context.WithTimeout(ctx, c.idle)
		}
		most := 1000
		if c.total > 0 {
			most = int(min(int64(most), c.total-n))
		}
		fetches := client.PollRecords(waiting, most)
		cancel()
		for _, e := range fetches.Errors() {
			if ctx.Err() != nil || errors.Is(e.Err, context.DeadlineExceeded) {
				return n, nil
			}
			return n, fmt.Errorf("read topic %s: %w", e.Topic, e.Err)
		}
		for _, r := range fetches.Records() {
			if c.verbose {
				fmt.Fprintf(out, "%s/%d offset %d %s key %q %s\n", r.Topic, r.Partition, r.Offset, r.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z"), r.Key, r.Value)
			}
			if recorder != nil {
				auditfranz.Processed(recorder, r)
			}
			client.MarkCommitRecords(r)
			if n++; c.rate > 0 {
				due := begin.Add(time.Duration(float64(n) / c.rate * float64(time.Second)))
				select {
				case <-ctx.Done():
					return n, nil
				case <-time.After(time.Until(due)):
				}
			}
		}
	}
	return n, nil
}
