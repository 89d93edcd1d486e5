package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/internal/torture"
)

func newTorture() *cobra.Command {
	var o torture.Options
	cmd := &cobra.Command{
		Use:   "torture",
		Short: "Break everything around chaperone, and check every count",
		Long: `Starts Kafka, ClickHouse and the processes of a deployment on this machine, writes
messages that it remembers one by one, and lets go wrong what can go wrong, as a
seed says. Then the collect table, a view, ClickHouse and REST have to say exactly
what was written, and every record that was ever written has to be right.

The last line is "checked N wrong M". The status is 0 only if M is 0, N is not, and
every kind of fault that is possible here happened at least once. Apache Kafka takes
Java, and is fetched once by Maven; kfake is the broker that is part of chaperone.
--faults lists what goes wrong.`,
		Example: `  chaperone torture
  chaperone torture --time 10m --seed 7
  chaperone torture --kafka kfake --seeds 100 --report docs/reliability.md
  chaperone torture --only sigkill,sigstop`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.StringVar(&o.Kafka, "kafka", torture.Apache, "apache or kfake")
	f.IntVar(&o.Nodes, "nodes", 0, "brokers of the audit cluster, 1 or 3 (default 3, and 1 with kfake)")
	f.StringVar(&o.Reader, "reader", "", "count.reader of the instances that count: sarama, in_place, or both at once (default: as configured)")
	f.DurationVar(&o.Time, "time", 45*time.Second, "how long faults happen, in each run")
	f.Uint64Var(&o.Seed, "seed", 1, "of the first run; each next run has the next one")
	f.IntVar(&o.Seeds, "seeds", 1, "how many runs")
	f.StringSliceVar(&o.Only, "only", nil, "`faults` to inject, and no others")
	f.StringSliceVar(&o.Not, "without", nil, "`faults` to leave out")
	f.StringVar(&o.OldBinary, "old-binary", "", "`file` of an earlier chaperone, to take part")
	f.StringVar(&o.SkewedBinary, "skewed-binary", "", "`file` of a chaperone whose clock CHAPERONE_TORTURE_SKEW puts off, in seconds (make torture builds it)")
	f.StringVar(&o.Dir, "dir", "", "`folder` for logs and data (default: a temporary one)")
	f.BoolVar(&o.Keep, "keep", false, "keep logs and data even if all is well")
	report := f.String("report", "", "`file` whose table for this Kafka is written anew")
	save := f.String("result", "", "`file` for the results, for --sum")
	sum := f.String("sum", "", "run nothing: sum up the results in a `folder`")
	list := f.Bool("faults", false, "list the faults, and end")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *list {
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, f := range torture.Faults() {
				fmt.Fprintf(t, "%s\t%s\n", f.Name, f.What)
			}
			return t.Flush()
		}
		if *sum != "" {
			return sumUp(cmd, *sum, *report)
		}
		var err error
		if o.Binary, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program: %w", err)
		}
		if err := o.Check(); err != nil {
			return &usageError{cmd, err.Error()}
		}
		if *report != "" {
			if err := torture.CheckReport(*report, &o); err != nil {
				return &usageError{cmd, err.Error()}
			}
		}
		o.Out, o.Say = cmd.OutOrStdout(), cmd.ErrOrStderr()
		ctx, stop := untilSignal(cmd.Context(), cmd.ErrOrStderr(), "its processes end with it")
		defer stop()
		return tortured(ctx, cmd, o, *report, *save)
	}
	return cmd
}

// tortured runs, sums up, and says whether all was well.
func tortured(ctx context.Context, cmd *cobra.Command, o torture.Options, report, save string) error {
	results, err := torture.Run(ctx, o)
	if len(results) == 0 {
		return err
	}
	s := torture.Sum(results)
	if save != "" {
		err = errors.Join(err, torture.Save(save, results))
	}
	if report != "" {
		err = errors.Join(err, s.Write(report))
	}
	fmt.Fprint(cmd.OutOrStdout(), s)
	fmt.Fprintf(cmd.OutOrStdout(), "checked %d wrong %d\n", s.Checked, s.Wrong)
	switch {
	case err != nil:
		return err
	case len(s.Bad) > 0:
		return fmt.Errorf("not all was well with %s", strings.Join(s.Bad, ", "))
	}
	return nil
}

// sumUp sums up results that are kept.
func sumUp(cmd *cobra.Command, dir, report string) error {
	all, err := torture.Load(dir)
	if err != nil {
		return err
	}
	checked, wrong := 0, 0
	var bad []string
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		s := torture.Sum(all[kind])
		if report != "" {
			if err := s.Write(report); err != nil {
				return err
			}
		}
		fmt.Fprint(cmd.OutOrStdout(), s)
		checked, wrong, bad = checked+s.Checked, wrong+s.Wrong, append(bad, s.Bad...)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "checked %d wrong %d\n", checked, wrong)
	if len(bad) > 0 {
		return fmt.Errorf("not all was well with %s", strings.Join(bad, ", "))
	}
	return nil
}
