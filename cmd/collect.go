package cmd

import (
	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/app"
)

func newCollect(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "collect",
		Short: "Keep the newest record of each source, for REST",
		Long: `Reads the audit topic and keeps, in a compacted table on the audit cluster, the
newest record of each source. What serve answers about recent hours comes from it.
Run as many as are needed, at most audit.partitions.`,
		Example: `  chaperone collect --config chaperone.yml`,
		Args:    noArgs,
	}
	s := addSettings(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return run(cmd, s, false, app.Collect) }
	return cmd
}
