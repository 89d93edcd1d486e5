package cmd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newCodec(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "codec",
		Short: "Show which codecs there are, and try them on messages",
		Long: `Codecs read the event time of messages; the section codecs of the configuration says
which one reads which topics. docs/codecs.md explains them.`,
		Example: `  chaperone codec list
  chaperone codec try --topic orders`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCodecList(p), newCodecTry(p))
	return cmd
}

func newCodecList(p program) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the codecs and the settings that each takes",
		Long:    "Lists the codecs that this program has, and the keys that a rule with them may have.",
		Example: "  chaperone codec list",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, name := range slices.Sorted(maps.Keys(p.codecs)) {
				fmt.Fprintf(tw, "%s\t%s\n", name, orNone(strings.Join(slices.Sorted(slices.Values(p.codecs[name].Keys)), " ")))
			}
			return tw.Flush()
		},
	}
}
