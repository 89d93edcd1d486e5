package cmd

import (
	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/app"
)

func newStandalone(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "standalone",
		Short: "Do all of it in one process",
		Long: `Counts, collects, sinks and serves in one process. Without --brokers it brings along
a Kafka broker, without --dsn a ClickHouse: both for trying out, on this machine
only, with their data in embedded.dir. ClickHouse is fetched once (about 600 MB);
--store memory does without it.`,
		Example: `  chaperone standalone
  chaperone standalone --brokers localhost:9092 --store memory
  chaperone standalone --config chaperone.yml`,
		Args: noArgs,
	}
	s := addSettings(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return run(cmd, s, true, app.All()...) }
	return cmd
}
