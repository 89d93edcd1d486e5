package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/api/client"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
)

// waiting is a command line of wait.
type waiting struct {
	*asking
	topic, pipeline string
	from, until     string
	threshold       float64
	timeout         time.Duration
}

func newWait(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "wait",
		Short: "Wait until topics are complete up to a time",
		Long: `Waits until a topic, or all topics of a pipeline, are complete up to a time, and then
ends with status 0: put it before a job that reads them. After --timeout it says what
is missing and ends with status 3. Progress goes to standard error. What is unknown
is never complete, whatever the threshold.`,
		Example: `  chaperone wait --topic orders --until yesterday && run-the-job
  chaperone wait --topic orders --until 2026-01-31T10:00:00Z --threshold 0.999 --timeout 30m
  chaperone wait --pipeline main --from 2026-01-31 --until 2026-02-01`,
		Args: noArgs,
	}
	w := &waiting{asking: addAsking(cmd, p)}
	f := cmd.Flags()
	f.StringVar(&w.topic, "topic", "", "`name` of the topic")
	f.StringVar(&w.pipeline, "pipeline", "", "`name` of a pipeline, all of whose topics are waited for")
	f.StringVar(&w.until, "until", "", "a `time`; yesterday or today for all of that day, now for the window that holds this moment; UTC")
	f.StringVar(&w.from, "from", "", "a `time` since when all has to be complete (default: a day before, if the topic was known then; of yesterday and today their beginning)")
	f.Float64Var(&w.threshold, "threshold", 1, "`share` of what went in that has to have come out, from 0 to 1")
	f.DurationVar(&w.timeout, "timeout", time.Hour, "how long to wait; 0: only look")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if (w.topic == "") == (w.pipeline == "") {
			return &usageError{cmd, "give a --topic or a --pipeline"}
		}
		q, err := w.question()
		if err != nil {
			return &usageError{cmd, err.Error()}
		}
		ctx, stop := untilSignal(cmd.Context(), cmd.ErrOrStderr(), "")
		defer stop()
		return w.run(ctx, cmd, q)
	}
	return cmd
}

// A notYetError says that what was waited for has not come.
type notYetError struct{ text string }

func (e *notYetError) Error() string { return e.text }

func (w *waiting) question() (q client.Completing, err error) {
	q = client.Completing{Topic: w.topic, Pipeline: w.pipeline, Threshold: &w.threshold}
	now := w.clock().UTC()
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	switch w.until {
	case "":
		return q, errors.New("--until: give a time, or yesterday, today or now")
	case "yesterday":
		q.From, q.To = day.AddDate(0, 0, -1), day
	case "today":
		q.From, q.To = day, day.AddDate(0, 0, 1)
	case "now":
		q.To = now
	default:
		if q.To, err = moment(w.until, now); err != nil {
			return q, fmt.Errorf("--until: %w", err)
		}
	}
	if w.from != "" {
		if q.From, err = moment(w.from, now); err != nil {
			return q, fmt.Errorf("--from: %w", err)
		}
	}
	return q, nil
}

// run asks again and again. That nobody answers for a while is no reason to give up
// before the time.
func (w *waiting) run(ctx context.Context, cmd *cobra.Command, q client.Completing) error {
	c, err := w.client(cmd)
	if err != nil {
		return err
	}
	const askFor, pause = 20 * time.Second, 2 * time.Second
	end := time.Now().Add(w.timeout)
	said := ""
	tell := func(text string) {
		if text != said {
			fmt.Fprintln(cmd.ErrOrStderr(), text)
			said = text
		}
	}
	for {
		left := max(time.Until(end), 0)
		q.Wait = min(askFor, left).Truncate(time.Millisecond)
		answer, err := c.Completeness(ctx, q)
		switch p, isProblem := errors.AsType[*v1.Problem](err); {
		case ctx.Err() != nil:
			return &notYetError{"interrupted before it was complete"}
		case isProblem && p.Status < 500, err != nil && time.Until(end) <= 0:
			return unanswered(err)
		case err != nil:
			tell(fmt.Sprintf("no answer, trying again: %v", err))
			select {
			case <-time.After(min(pause, left)):
			case <-ctx.Done():
			}
			continue
		case answer.Complete:
			for i := range answer.Topics {
				t := &answer.Topics[i]
				fmt.Fprintf(cmd.OutOrStdout(), "%s: complete from %s to %s\n", t.Topic, t.From.UTC().Format(time.RFC3339), t.Until.UTC().Format(time.RFC3339))
			}
			return nil
		case time.Until(end) <= 0:
			w.missing(cmd.OutOrStdout(), answer)
			return &notYetError{fmt.Sprintf("not complete up to %s after %s", answer.To.UTC().Format(time.RFC3339), w.timeout)}
		default:
			tell(w.progress(answer))
		}
	}
}

// progress is one line about the topic that is the furthest behind.
func (w *waiting) progress(answer *v1.Completeness) string {
	var last *v1.TopicCompleteness
	waits := 0
	for i := range answer.Topics {
		t := &answer.Topics[i]
		if t.Complete {
			continue
		}
		if waits++; last == nil || t.Until.Before(last.Until) {
			last = t
		}
	}
	if last == nil {
		return "there are no topics yet"
	}
	more := ""
	if waits > 1 {
		more = fmt.Sprintf(" (and %d more topics)", waits-1)
	}
	now := w.clock()
	return fmt.Sprintf("%s: %s; %s%s", last.Topic, howFar(last, now), heldBy(last.Held, now), more)
}

// missing says of each topic what it lacks.
func (w *waiting) missing(out io.Writer, answer *v1.Completeness) {
	if len(answer.Topics) == 0 {
		fmt.Fprintln(out, "no topic is known that this is about")
	}
	now := w.clock()
	for i := range answer.Topics {
		t := &answer.Topics[i]
		if t.Complete {
			continue
		}
		fmt.Fprintf(out, "%s: %s; %s\n", t.Topic, howFar(t, now), heldBy(t.Held, now))
		for _, win := range t.PerWindow {
			if !win.Complete && len(win.Against) > 0 && !win.Start.Equal(t.Held.Start) {
				for _, s := range win.Against {
					fmt.Fprintf(out, "  %s: %s\n", short(win.Start, now), s)
				}
			}
		}
	}
}
