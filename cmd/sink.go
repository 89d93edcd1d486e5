package cmd

import (
	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/app"
)

func newSink(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sink",
		Short: "Write records into ClickHouse",
		Long: `Reads the topics of records and of verdicts and writes all of them into the store.
When the store is away it waits, for as long as the topics keep them (audit.retention,
and collect.horizon), and nothing is lost or doubled. Run as many as are needed, at most audit.partitions.`,
		Example: `  chaperone sink --config chaperone.yml --dsn clickhouse://default@clickhouse:9000`,
		Args:    noArgs,
	}
	s := addSettings(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return run(cmd, s, false, app.Sink) }
	return cmd
}
