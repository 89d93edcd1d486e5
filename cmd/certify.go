package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/api/client"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/internal/certify"
)

// certifying is a command line of certify.
type certifying struct {
	*asking
	out, check string
	threshold  float64
}

func newCertify(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certify TOPIC DAY",
		Short: "State how complete a topic was on a day, and check such statements",
		Long: `Writes a statement of a topic and a day in UTC, as JSON: the verdict of each window and
the records that it rests on, and a digest of all of it. Note the digest: with it,
--check finds anything that was changed. --check asks nobody; it recomputes the digest,
the uuids of the records, and from the records what each tier had in each window, which
has to be what the verdicts say. Where the topic was not complete the statement says
so, and the status is 3.`,
		Example: `  chaperone certify orders yesterday --out orders.json
  chaperone certify orders 2026-01-30
  chaperone certify --check orders.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if check, _ := cmd.Flags().GetString("check"); check != "" && len(args) == 0 {
				return nil
			}
			if len(args) != 2 {
				return &usageError{cmd, "give a topic and a day, such as: orders 2026-01-30; or --check FILE"}
			}
			return nil
		},
	}
	c := &certifying{asking: addAsking(cmd, p)}
	f := cmd.Flags()
	f.StringVar(&c.out, "out", "", "`file` to write the statement to (default: standard output)")
	f.StringVar(&c.check, "check", "", "`file` with a statement to check; - for standard input")
	f.Float64Var(&c.threshold, "threshold", 1, "`share` of what went in that has to have come out, from 0 to 1")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if c.check != "" {
			return c.checkFile(cmd)
		}
		day, err := c.day(args[1])
		if err != nil {
			return &usageError{cmd, "DAY: " + err.Error()}
		}
		return c.certify(cmd, args[0], day)
	}
	return cmd
}

func (c *certifying) day(text string) (time.Time, error) {
	now := c.clock().UTC()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	switch text {
	case "yesterday":
		return today.AddDate(0, 0, -1), nil
	case "today":
		return today, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return day, fmt.Errorf("%q must be a day such as 2026-01-30, or yesterday", text)
	}
	return day, nil
}

func (c *certifying) certify(cmd *cobra.Command, topic string, day time.Time) error {
	ask, err := c.client(cmd)
	if err != nil {
		return err
	}
	span := client.Span{From: day, To: day.AddDate(0, 0, 1)}
	var s *certify.Statement
	var wrong []string
	for range 3 { // a window may be amended between the questions
		if s, err = c.ask(cmd.Context(), ask, topic, span); err != nil {
			return err
		}
		if wrong = certify.Check(s); len(wrong) == 0 {
			break
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the verdicts do not follow from the records: %s (%d in all); ask again when all windows are final", wrong[0], len(wrong))
	}
	if err := c.write(cmd.OutOrStdout(), s); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s %s: %d windows, %d records, %s\n", topic, day.Format(time.DateOnly), len(s.Windows), len(s.Records), s.Digest)
	if !s.Complete {
		return &notYetError{incomplete(s)}
	}
	return nil
}

// ask gathers what a statement is made of. Records come by the hour: there may be many.
func (c *certifying) ask(ctx context.Context, ask *client.Client, topic string, span client.Span) (*certify.Statement, error) {
	index, err := ask.Index(ctx)
	if err != nil {
		return nil, unanswered(err)
	}
	complete, err := ask.Completeness(ctx, client.Completing{Topic: topic, Span: span, Threshold: &c.threshold})
	if err != nil {
		return nil, unanswered(err)
	}
	verdicts, err := ask.Verdicts(ctx, client.Judged{Topic: topic, Span: span})
	if err != nil {
		return nil, unanswered(err)
	}
	records := &v1.Records{}
	for at := span.From; at.Before(span.To); at = at.Add(time.Hour) {
		part, err := ask.Records(ctx, topic, client.Span{From: at, To: at.Add(time.Hour)})
		if err != nil {
			return nil, unanswered(err)
		}
		records.Records = append(records.Records, part.Records...)
	}
	return certify.Make(complete, verdicts, records, index.Version, c.clock())
}

func (c *certifying) write(out io.Writer, s *certify.Statement) error {
	if c.out == "" {
		return s.Write(out)
	}
	f, err := os.Create(c.out)
	if err != nil {
		return err
	}
	if err := s.Write(f); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// incomplete names the first window that is not complete.
func incomplete(s *certify.Statement) string {
	n, text := 0, ""
	for i := range s.Windows {
		w := &s.Windows[i]
		if w.Complete {
			continue
		}
		if n++; n > 1 {
			continue
		}
		text = fmt.Sprintf("window %s is %s, and its verdict is %s", w.Start.UTC().Format(time.RFC3339), w.State, w.Verdict)
		if len(w.Findings) > 0 {
			text += ": " + w.Findings[0]
		}
	}
	return fmt.Sprintf("it was not complete, and the statement says so: %d of %d windows are not, the first: %s", n, len(s.Windows), text)
}

func (c *certifying) checkFile(cmd *cobra.Command) error {
	in := cmd.InOrStdin()
	if c.check != "-" {
		f, err := os.Open(c.check)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	s, err := certify.Read(in)
	if err != nil {
		return fmt.Errorf("check %s: %w", c.check, err)
	}
	out := cmd.OutOrStdout()
	wrong := certify.Check(s)
	for _, text := range wrong {
		fmt.Fprintln(out, text)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the statement does not hold: %d things are wrong with it", len(wrong))
	}
	what := "complete"
	if !s.Complete {
		what = "not complete"
	}
	fmt.Fprintf(out, "the statement holds: %s from %s to %s was %s; %d windows follow from %d records\n", s.Topic, s.From.Format(time.RFC3339), s.To.Format(time.RFC3339), what, len(s.Windows), len(s.Records))
	fmt.Fprintf(out, "%s, made at %s by chaperone %s\n", s.Digest, s.Made.Format(time.RFC3339), s.Chaperone)
	return nil
}
