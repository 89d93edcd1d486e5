package cmd

import (
	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/app"
)

func newServe(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Answer REST",
		Long: `Answers questions over HTTP: recent windows from memory, older ones from the store.
/ lists what can be asked. Every instance answers everything, so run as many as
are needed behind any load balancer.`,
		Example: `  chaperone serve --config chaperone.yml --http :9000
  curl localhost:9000/api/v1/topics`,
		Args: noArgs,
	}
	s := addSettings(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return run(cmd, s, false, app.Serve) }
	return cmd
}
