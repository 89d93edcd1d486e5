package cmd

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/produce"
)

func newProduce(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "produce",
		Short: "Write messages to audited topics, and say how many",
		Long: `Writes messages that look like real ones, JSON with an event time, to topics of the
audited cluster until it has written enough or is interrupted. Then it prints how
many it wrote per topic, window and partition: what an audit has to find.
Without brokers it writes to the embedded Kafka of a running standalone.`,
		Example: `  chaperone produce --rate 1000
  chaperone produce --brokers localhost:9092 --topics orders:4,clicks:12 --total 1000000 --disorder 15m --no-time 0.01`,
		Args: noArgs,
	}
	s := addSettings(cmd, p)
	f := cmd.Flags()
	var o produce.Config
	topics := f.StringSlice("topics", []string{"orders:4", "clicks:7"}, "`name:partitions,...` to write to")
	cluster := f.String("cluster", "", "`name` of the cluster to write to (default: the first)")
	f.BoolVar(&o.Create, "create", true, "create topics that do not exist")
	f.Float64Var(&o.Rate, "rate", 100, "messages per second over all topics; 0: as fast as possible")
	f.Int64Var(&o.Total, "total", 0, "stop after so many messages; 0: do not")
	f.DurationVar(&o.Duration, "duration", 0, "stop after so long; 0: do not")
	f.DurationVar(&o.Disorder, "disorder", time.Minute, "event times lie up to so far back")
	f.Float64Var(&o.NoTime, "no-time", 0, "`share` of messages without a time, 0 to 1")
	f.Float64Var(&o.Malformed, "malformed", 0, "`share` of messages that are not JSON, 0 to 1")
	f.IntVar(&o.PayloadBytes, "bytes", 200, "size of messages, about")
	f.StringVar(&o.Field, "field", "ts", "name of the member that holds the event time")
	f.Uint64Var(&o.Seed, "seed", 1, "another one makes other messages")
	tier := f.String("tier", "producer", "point of the pipeline that this is")
	counted := f.Bool("count", false, "count what is sent with the audit library, and stamp event times into headers")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, _, err := s.load()
		if err != nil {
			return err
		}
		for _, t := range *topics {
			topic, err := parseTopic(t)
			if err != nil {
				return &usageError{cmd, err.Error()}
			}
			o.Topics = append(o.Topics, topic)
		}
		k, err := target(&c, *cluster, &o)
		if err != nil {
			return &usageError{cmd, err.Error()}
		}
		if o.Sarama, err = k.Sarama("chaperone-produce"); err != nil {
			return err
		}
		o.WindowSize, o.Log = c.Windows.Size, newLog(c.Log, cmd.ErrOrStderr())
		counting := &counting{}
		if *counted {
			if counting, err = count(&c, *tier, eventTimes(o.Field), cmd.ErrOrStderr()); err != nil {
				return err
			}
			o.Recorder = counting.recorder
		}
		g, err := produce.New(o)
		if err != nil {
			return errors.Join(&usageError{cmd, err.Error()}, counting.close())
		}
		ctx, stop := untilSignal(cmd.Context(), cmd.ErrOrStderr(), "the table of what was written is not printed")
		defer stop()
		err = g.Run(ctx)
		if printed := printTruth(cmd.OutOrStdout(), g); err == nil {
			err = printed
		}
		return errors.Join(err, counting.close())
	}
	return cmd
}

// target finds the cluster to write to.
func target(c *config.Config, name string, o *produce.Config) (config.Kafka, error) {
	for _, cluster := range c.Clusters {
		if name != "" && cluster.Name != name {
			continue
		}
		o.Cluster, o.Brokers = cluster.Name, cluster.Brokers
		if len(o.Brokers) == 0 {
			o.Brokers = []string{c.Embedded.KafkaAddr}
		}
		return cluster.Kafka, nil
	}
	return config.Kafka{}, fmt.Errorf("--cluster: %q is no cluster of the configuration", name)
}

// parseTopic reads name:partitions; the number may be left out.
func parseTopic(text string) (produce.Topic, error) {
	name, number, ok := strings.Cut(text, ":")
	t := produce.Topic{Name: name, Partitions: 1}
	if ok {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			return t, fmt.Errorf("--topics: %q must be name:partitions, such as orders:4", text)
		}
		t.Partitions = n
	}
	return t, nil
}

func printTruth(w io.Writer, g *produce.Generator) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "Topic\tWindow\tPartition\tMessages\tBytes\tNo time\tMalformed")
	for _, r := range g.Truth() {
		fmt.Fprintf(tw, "%s\t%s\t%d\t%d\t%d\t%d\t%d\n", r.Topic, r.Window.From().Format(time.RFC3339), r.Partition, r.Count, r.Bytes, r.NoTime, r.Malformed)
	}
	fmt.Fprintf(tw, "all\t\t\t%d\t\t\t\n", g.Acked())
	if err := tw.Flush(); err != nil {
		return err
	}
	if n := g.Uncertain(); n > 0 {
		return errors.New(strconv.FormatInt(n, 10) + " messages were not acknowledged: they may be there or not, so the table may be short of them")
	}
	return nil
}
