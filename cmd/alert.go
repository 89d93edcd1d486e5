package cmd

import (
	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/app"
)

func newAlert(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alert",
		Short: "Run the rules, and notify of what they find",
		Long: `Runs the rules of the section alerts over the verdicts, and tells the notifiers of
what they find. One instance does it at a time; run a second one that takes over.`,
		Example: `  chaperone alert --config chaperone.yml`,
		Args:    noArgs,
	}
	s := addSettings(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return run(cmd, s, false, app.Alert) }
	return cmd
}
