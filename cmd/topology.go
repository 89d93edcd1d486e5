package cmd

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/lovoo/goka"
	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/processors"
)

func newTopology(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Show chaperone's own topics and groups",
		Long: `Shows the topics that chaperone has on the audit cluster, with their partitions and
settings, and its groups with what they read and write. It connects nowhere.
The topics are made when an instance starts; where it may not, make them by hand.`,
		Example: `  chaperone topology
  chaperone topology --set audit.prefix=test-chaperone`,
		Args: noArgs,
	}
	s := addSettings(cmd, p)
	markdown := cmd.Flags().Bool("markdown", false, "print Markdown, as in topology.md")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, _, err := s.load()
		if err != nil {
			return err
		}
		t := app.Topology(&c)
		for i, table := range []table{topicsOf(t), groupsOf(t)} {
			if i > 0 {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			if *markdown {
				err = table.markdown(cmd.OutOrStdout())
			} else {
				err = table.plain(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// A table has a heading in its first row.
type table [][]string

func topicsOf(t processors.Topology) table {
	rows := table{{"Topic", "Partitions", "Purpose", "Key", "Value", "Settings"}}
	for _, topic := range t.Topics() {
		var settings []string
		for _, key := range slices.Sorted(maps.Keys(topic.Config)) {
			settings = append(settings, key+"="+topic.Config[key])
		}
		rows = append(rows, []string{topic.Name, fmt.Sprint(topic.Partitions), topic.Purpose, topic.Key, topic.Value, strings.Join(settings, " ")})
	}
	return rows
}

func groupsOf(t processors.Topology) table {
	rows := table{{"Group", "Input", "Output", "Table"}}
	for _, g := range t.Graphs() {
		name := func(e goka.Edge) string {
			if e == nil {
				return "-"
			}
			return e.Topic()
		}
		names := func(edges goka.Edges) string {
			var list []string
			for _, e := range edges {
				list = append(list, name(e))
			}
			return strings.Join(list, " ")
		}
		output := "-"
		if len(g.OutputStreams()) > 0 {
			output = names(g.OutputStreams())
		}
		rows = append(rows, []string{string(g.Group()), names(g.InputStreams()), output, name(g.GroupTable())})
	}
	return rows
}

func (t table) plain(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range t {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	return tw.Flush()
}

func (t table) markdown(w io.Writer) error {
	for i, row := range t {
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | ")); err != nil {
			return err
		}
		if i == 0 {
			if _, err := fmt.Fprintf(w, "|%s\n", strings.Repeat("---|", len(row))); err != nil {
				return err
			}
		}
	}
	return nil
}
