package cmd

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/api/client"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
)

func newLateness(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lateness TOPIC",
		Short: "Show how late messages are, and which grace that asks for",
		Long: `Shows, for each tier, how long after their events messages were recorded and had
arrived, by how much two clocks disagree, and how long to wait after the end of a
window for 99 %, 99.9 %, 99.99 % and all of its messages: what to set grace of a
pipeline to. Arrival is measured while counting keeps up; replicators keep record
timestamps, so only arrival tells of a hop.`,
		Example: `  chaperone lateness orders
  chaperone lateness orders --since 6h --json`,
		Args: topicArgs(1, "a topic, such as: orders"),
	}
	a := addAsking(cmd, p)
	since := cmd.Flags().Duration("since", 24*time.Hour, "how far back to look")
	a.printsJSON(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client(cmd)
		if err != nil {
			return err
		}
		now := a.clock()
		x, err := c.Lateness(cmd.Context(), args[0], client.Span{From: now.Add(-*since), To: now})
		if err != nil {
			return unanswered(err)
		}
		if a.json {
			return printJSON(cmd.OutOrStdout(), x)
		}
		tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		printLateness(tw, x)
		return tw.Flush()
	}
	return cmd
}

func printLateness(tw *tabwriter.Writer, x *v1.Lateness) {
	if len(x.Tiers) == 0 {
		fmt.Fprintf(tw, "nothing is known of %s in that time\n", x.Topic)
		return
	}
	fmt.Fprintln(tw, "TIER\tLATENCY\tP50\tP95\tP99\tMAX\tFROM THE FUTURE\tHOP")
	for i := range x.Tiers {
		t := &x.Tiers[i]
		hop := "-"
		if t.Hop != nil {
			hop = fmt.Sprintf("%+.0f ms", *t.Hop)
		}
		for _, l := range []struct {
			name string
			v1.Latency
			hop string
		}{{"recorded", t.Latency, "-"}, {"arrival", t.Arrival, hop}} {
			if l.Count+l.Negative == 0 {
				continue
			}
			future := "-"
			if l.Negative > 0 {
				future = fmt.Sprintf("%d, by up to %s", l.Negative, ms(float64(l.NegativeMax)))
			}
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Tier, l.name, orMS(l.P50), orMS(l.P95), orMS(l.P99), maxMS(l.Max), future, l.hop)
		}
	}
	fmt.Fprintln(tw, "\nTIER\tTO HAVE\tWAIT AFTER A WINDOW ENDS")
	for i := range x.Tiers {
		for _, g := range x.Tiers[i].Graces {
			share := strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", 100*g.Share), "0"), ".")
			fmt.Fprintf(tw, "%s\t%s %%\t%s\n", x.Tiers[i].Tier, share, ms(1000*g.Wait))
		}
	}
}

func ms(v float64) string {
	return (time.Duration(v) * time.Millisecond).Round(time.Millisecond).String()
}

func orMS(v *float64) string {
	if v == nil {
		return "-"
	}
	return ms(*v)
}

func maxMS(v *int64) string {
	if v == nil {
		return "-"
	}
	return ms(float64(*v))
}
