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

// statusAsk is a command line of status.
type statusAsk struct {
	*asking
	pipeline  string
	threshold float64
	since     time.Duration
	windows   int
}

func newStatus(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [TOPIC]",
		Short: "Show up to when topics are complete",
		Long: `Shows a row per topic: up to when it is complete, its gravest verdict, and what keeps
it from being complete any further. Of one topic it shows each window and each tier,
too. Times are UTC.`,
		Example: `  chaperone status
  chaperone status orders --since 2h
  chaperone status --pipeline main --url http://chaperone:9000`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{cmd, "give one topic, or none for all"}
			}
			return nil
		},
	}
	a := &statusAsk{asking: addAsking(cmd, p)}
	f := cmd.Flags()
	f.StringVar(&a.pipeline, "pipeline", "", "topics of this `pipeline` only")
	f.Float64Var(&a.threshold, "threshold", 1, "`share` of what went in that has to have come out, from 0 to 1")
	f.DurationVar(&a.since, "since", 24*time.Hour, "how far back to look, also before a topic was known")
	f.IntVar(&a.windows, "windows", 24, "show so many windows of a topic, the newest; 0 shows all")
	a.printsJSON(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.status(cmd, strings.Join(args, "")) }
	return cmd
}

func (a *statusAsk) status(cmd *cobra.Command, topic string) error {
	c, err := a.client(cmd)
	if err != nil {
		return err
	}
	now := a.clock()
	q := client.Completing{Topic: topic, Pipeline: a.pipeline, Threshold: &a.threshold}
	if cmd.Flags().Changed("since") { // else where topics begin to be known
		q.From = now.Add(-a.since)
	}
	answer, err := c.Completeness(cmd.Context(), q)
	if err != nil {
		return unanswered(err)
	}
	if a.json {
		return printJSON(cmd.OutOrStdout(), answer)
	}
	tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	if topic == "" {
		printTopics(tw, answer, now)
	} else {
		for i := range answer.Topics {
			printTopic(tw, &answer.Topics[i], a.windows, now)
		}
	}
	return tw.Flush()
}

func printTopics(tw *tabwriter.Writer, answer *v1.Completeness, now time.Time) {
	if len(answer.Topics) == 0 {
		fmt.Fprintln(tw, "there are no topics")
		return
	}
	fmt.Fprintln(tw, "TOPIC\tPIPELINE\tCOMPLETE UNTIL\tVERDICT\tHELD BY")
	for i := range answer.Topics {
		t := &answer.Topics[i]
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", t.Topic, orDash(t.Pipeline), untilOf(t, now), t.Verdict, heldBy(t.Held, now))
	}
}

func printTopic(tw *tabwriter.Writer, t *v1.TopicCompleteness, most int, now time.Time) {
	fmt.Fprintf(tw, "%s: %s, provisionally until %s\n", t.Topic, howFar(t, now), short(t.Provisional, now))
	if t.Held != nil {
		fmt.Fprintf(tw, "held by %s\n", heldBy(t.Held, now))
	}
	if len(t.Tiers) > 0 {
		fmt.Fprintln(tw, "\nTIER\tCOUNTED UNTIL\tNEWEST WINDOW")
	}
	for _, r := range t.Tiers {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", r.Tier, orNever(r.Until, now), orNever(r.Newest, now))
	}
	if len(t.PerWindow) > 0 {
		fmt.Fprintln(tw, "\nWINDOW\tSTATE\tVERDICT\tCAME OUT\tFOUND")
	}
	windows := t.PerWindow
	if more := len(windows) - most; most > 0 && more > 0 {
		windows = windows[more:]
		fmt.Fprintf(tw, "%d earlier\t\t\t\t--windows 0 shows all\n", more)
	}
	for _, w := range windows {
		ratio, what := "?", strings.Join(w.Against, "; ")
		if w.Ratio != nil {
			ratio = fmt.Sprintf("%.6g %%", 100**w.Ratio)
		}
		if w.Empty && w.Complete {
			what = "no messages"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", short(w.Start, now), w.State, w.Verdict, ratio, orDash(what))
	}
}

// untilOf is up to when a topic is complete, if it is so at all.
func untilOf(t *v1.TopicCompleteness, now time.Time) string {
	if !t.Until.After(t.From) {
		return "-"
	}
	return short(t.Until, now)
}

// howFar is untilOf in words.
func howFar(t *v1.TopicCompleteness, now time.Time) string {
	if until := untilOf(t, now); until != "-" {
		return "complete until " + until
	}
	return "not complete at " + short(t.From, now)
}

func heldBy(h *v1.Held, now time.Time) string {
	if h == nil {
		return "-"
	}
	return short(h.Start, now) + ": " + h.Sentence
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func orNever(t *time.Time, now time.Time) string {
	if t == nil {
		return "-"
	}
	return short(*t, now)
}
