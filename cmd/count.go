package cmd

import (
	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/app"
)

func newCount(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "count",
		Short: "Count the messages of the audited topics",
		Long: `Counts every message of every audited topic, once in effect, and writes records to
the audit topic. Run as many as are needed, at most audit.shards: they share the
work. All that is asked of the audited clusters is to read.`,
		Example: `  chaperone count --config chaperone.yml
  chaperone count --brokers kafka1:9092,kafka2:9092`,
		Args: noArgs,
	}
	s := addSettings(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return run(cmd, s, false, app.Count) }
	return cmd
}
