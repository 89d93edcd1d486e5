package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/compare"
)

func newRules(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Show the rules, and what they would have found",
		Long: `Rules say which verdicts somebody has to look into; the section alerts of the
configuration has them. docs/alerts.md explains them.`,
		Example: `  chaperone rules list
  chaperone rules test --config chaperone.yml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRulesList(p), newRulesTest(p))
	return cmd
}

func newRulesList(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the rules, the default ones too",
		Long:    "Lists the rules that a configuration makes, those of its own behind the default ones that it leaves.",
		Example: "  chaperone rules list --config chaperone.yml",
		Args:    noArgs,
	}
	s := addSettings(cmd, p)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		rules, err := s.rules()
		if err != nil {
			return err
		}
		tw := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, "RULE\tCLASSES\tFINDS\tFOR\tSEVERITY\tNOTIFIES")
		for _, r := range rules.List() {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, or(r.Classes, "all"), bound(&r), r.For, r.Severity, or(r.Notify, "all"))
		}
		return tw.Flush()
	}
	return cmd
}

// bound is what a rule finds, in short.
func bound(r *alerts.Rule) string {
	s := string(r.Subject)
	if r.Above > 0 {
		s += " above " + r.Above.String()
	}
	if r.Messages > 0 {
		s += fmt.Sprintf(" messages %d", r.Messages)
	}
	if r.Ratio > 0 {
		s += fmt.Sprintf(" ratio %g%%", r.Ratio*100)
	}
	return s
}

func or(list []string, otherwise string) string {
	if len(list) == 0 {
		return otherwise
	}
	return strings.Join(list, ",")
}

func (s *settings) rules() (*alerts.Rules, error) {
	c, _, err := s.load()
	if err != nil {
		return nil, err
	}
	section, err := c.Alerting()
	if err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	return alerts.New(section)
}

func newRulesTest(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Say what the rules would have found",
		Long: `Runs the rules over verdicts that were recorded: in a file, a verdict or standing a
line as JSON, or, without one, on the topic of verdicts. Nobody is notified, and rules
in shadow are played too. That topic keeps the newest verdict of each window only: what
an amended window has closed shows as if it had never been, and lag and silence as they
are now.`,
		Example: `  chaperone rules test --config chaperone.yml
  chaperone rules test --from 2026-01-31T00:00:00Z --to 2026-02-01T00:00:00Z
  kcat -C -t chaperone-verdicts -e | chaperone rules test --file -`,
		Args: noArgs,
	}
	s := addSettings(cmd, p)
	var file, from, to string
	f := cmd.Flags()
	f.StringVar(&file, "file", "", "`file` with verdicts, a line each; - for standard input (default: the topic of verdicts)")
	f.StringVar(&from, "from", "", "`time` from which windows are looked at, such as 2026-01-31T00:00:00Z (default: all)")
	f.StringVar(&to, "to", "", "`time` before which they start")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		between, err := spanOf(from, to)
		if err != nil {
			return &usageError{cmd, err.Error()}
		}
		rules, err := s.rules()
		if err != nil {
			return err
		}
		ctx, stop := untilSignal(cmd.Context(), cmd.ErrOrStderr(), "")
		defer stop()
		said, err := s.said(ctx, cmd.InOrStdin(), file)
		if err != nil {
			return err
		}
		said.keep(between)
		return said.play(cmd.OutOrStdout(), rules)
	}
	return cmd
}

// spanOf reads the bounds of windows, in Unix seconds.
func spanOf(from, to string) (between [2]int64, err error) {
	between = [2]int64{-1 << 62, 1 << 62}
	for i, text := range []string{from, to} {
		if text == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return between, fmt.Errorf("--%s: %q must be a time such as 2026-01-31T00:00:00Z", []string{"from", "to"}[i], text)
		}
		between[i] = t.Unix()
	}
	return between, nil
}

// said is what the judge has said, in any order.
type said struct {
	verdicts  []*compare.Verdict
	standings []*compare.Standing
	unread    int
}

func (s *said) add(value []byte) {
	v, x, err := compare.Decode(value)
	switch {
	case err != nil:
		s.unread++
	case v != nil:
		s.verdicts = append(s.verdicts, v)
	case x != nil:
		s.standings = append(s.standings, x)
	}
}

func (s *said) keep(between [2]int64) {
	var kept []*compare.Verdict
	for _, v := range s.verdicts {
		if v.Start >= between[0] && v.Start < between[1] {
			kept = append(kept, v)
		}
	}
	s.verdicts = kept
}

func (s *said) play(w io.Writer, rules *alerts.Rules) error {
	plays := rules.Replay(s.verdicts, s.standings)
	fmt.Fprintf(w, "verdicts: %d, standings: %d, lines that cannot be read: %d; alerts: %d\n", len(s.verdicts), len(s.standings), s.unread, len(plays))
	if len(plays) == 0 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SINCE\tFIRES\tRESOLVED\tSEVERITY\tTOLD\tRULE\tWHAT")
	for i := range plays {
		p := &plays[i]
		what := p.Summary
		if p.Muted != "" {
			what += " (muted by " + p.Muted + ")"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", stamp(p.Since), stamp(p.Fired), stamp(p.Resolved), p.Severity, p.Told, p.Rule, what)
	}
	return tw.Flush()
}

func stamp(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05")
}

// said reads what was recorded.
func (s *settings) said(ctx context.Context, stdin io.Reader, file string) (*said, error) {
	if file != "" {
		return saidInFile(stdin, file)
	}
	c, _, err := s.load()
	if err != nil {
		return nil, err
	}
	return saidOnTopic(ctx, &c)
}
