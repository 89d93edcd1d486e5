package cmd

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/api/client"
)

func newAlerts(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "List alerts, and try notifiers",
		Long: `Alerts are what rules have found: one for each cause, however many topics it touches.
docs/alerts.md explains them.`,
		Example: `  chaperone alerts list
  chaperone alerts fire --notifier oncall`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAlertsList(p), newAlertsFire(p))
	return cmd
}

// alertsAsk is a command line of alerts list.
type alertsAsk struct {
	*asking
	since time.Duration
	text  bool
	q     client.AlertQuery
}

func newAlertsList(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the alerts of the last hours",
		Long:  "Asks an instance that serves for the alerts that were there in the last hours, those that began last first. Times are UTC.",
		Example: `  chaperone alerts list
  chaperone alerts list --state firing --text
  chaperone alerts list --topic orders --since 48h --url http://chaperone:9000`,
		Args: noArgs,
	}
	a := &alertsAsk{asking: addAsking(cmd, p)}
	f := cmd.Flags()
	f.DurationVar(&a.since, "since", 24*time.Hour, "how far back to look")
	f.StringVar(&a.q.Topic, "topic", "", "alerts that name this `topic` only")
	f.StringVar(&a.q.Rule, "rule", "", "alerts of this `rule` only")
	f.StringVar(&a.q.State, "state", "", "pending, firing or resolved")
	f.BoolVar(&a.text, "text", false, "the whole text of each")
	a.printsJSON(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.list(cmd) }
	return cmd
}

func (a *alertsAsk) list(cmd *cobra.Command) error {
	c, err := a.client(cmd)
	if err != nil {
		return err
	}
	now := a.clock()
	a.q.Span = client.Span{From: now.Add(-a.since), To: now.Add(time.Minute)}
	answer, err := c.Alerts(cmd.Context(), a.q)
	switch {
	case err != nil:
		return unanswered(err)
	case a.json:
		return printJSON(cmd.OutOrStdout(), answer)
	case len(answer.Alerts) == 0:
		fmt.Fprintln(cmd.OutOrStdout(), "no alerts")
		return nil
	}
	tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SINCE\tSTATE\tSEVERITY\tRULE\tWHAT")
	for i := range answer.Alerts {
		x := &answer.Alerts[i]
		state := x.State
		if x.Shadow {
			state += " (shadow)"
		}
		if x.Muted != "" {
			state += " (muted by " + x.Muted + ")"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", short(x.Since, now), state, x.Severity, x.Rule, x.Summary)
		if a.text {
			fmt.Fprintf(tw, "  %s\n\n", strings.ReplaceAll(x.Text, "\n", "\n  "))
		}
	}
	return tw.Flush()
}

func newAlertsFire(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fire",
		Short: "Tell a notifier that this is a test",
		Long: `Sends a notification that says that it is a test, and waits for the receiver to
acknowledge it. It is tried once. With PagerDuty it opens an incident, of the lowest
severity, that somebody has to resolve.`,
		Example: `  chaperone alerts fire --config chaperone.yml --notifier oncall`,
		Args:    noArgs,
	}
	s := addSettings(cmd, p)
	name := cmd.Flags().String("notifier", "", "`name` of the notifier")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, _, err := s.load()
		if err != nil {
			return err
		}
		all, err := c.Notifiers()
		if err != nil {
			return fmt.Errorf("alerts: %w", err)
		}
		n := all[*name]
		if n == nil {
			return &usageError{cmd, fmt.Sprintf("--notifier: %q is none of the notifiers of the configuration: %s", *name, orNone(strings.Join(slices.Sorted(maps.Keys(all)), ", ")))}
		}
		section, err := c.Alerting()
		if err != nil {
			return fmt.Errorf("alerts: %w", err)
		}
		rules, err := alerts.New(section)
		if err != nil {
			return fmt.Errorf("alerts: %w", err)
		}
		trial := rules.Trial(*name, time.Now())
		if err := n.Notify(cmd.Context(), &trial); err != nil {
			return fmt.Errorf("notifier %s: %w", *name, err)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s has acknowledged it\n", *name)
		return nil
	}
	return cmd
}
