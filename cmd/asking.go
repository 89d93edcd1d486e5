package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/api/client"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
)

// urlEnv names the instance to ask where --url does not.
const urlEnv = "CHAPERONE_URL"

// asking are the flags of commands that ask a running chaperone.
type asking struct {
	program
	url  string
	json bool
}

func addAsking(cmd *cobra.Command, p program) *asking {
	a := &asking{program: p, url: "http://127.0.0.1:9000"}
	for _, kv := range p.env {
		if value, ok := strings.CutPrefix(kv, urlEnv+"="); ok && value != "" {
			a.url = value
		}
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&a.url, "url", a.url, "`address` of an instance that serves, also by "+urlEnv)
	return a
}

// printsJSON adds the flag for programs that read the output.
func (a *asking) printsJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "print the answer as REST gives it")
}

func (a *asking) client(cmd *cobra.Command) (*client.Client, error) {
	c, err := client.New(a.url, nil)
	if err != nil {
		return nil, &usageError{cmd, "--url: " + err.Error()}
	}
	return c, nil
}

// unanswered adds what to do where nobody answers; a problem says so itself.
func unanswered(err error) error {
	if _, ok := errors.AsType[*v1.Problem](err); ok {
		return err
	}
	return &unansweredError{err}
}

type unansweredError struct{ error }

func (e *unansweredError) Unwrap() error { return e.error }
func (e *unansweredError) Hint() string {
	return "--url or " + urlEnv + ": the address of an instance that serves, such as http://127.0.0.1:9000"
}

func (p program) clock() time.Time {
	if p.now == nil {
		return time.Now()
	}
	return p.now()
}

// printJSON prints an answer for programs, indented for people all the same.
func printJSON(w io.Writer, answer any) error {
	b, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

// moment reads a time of a command line: RFC 3339, with or without seconds and zone, a
// date, or a time of day, which is the last one that was. All are UTC.
func moment(text string, now time.Time) (time.Time, error) {
	now = now.UTC()
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		t, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
		if t.After(now) {
			t = t.AddDate(0, 0, -1)
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q must be a time such as 2026-01-31T10:20:00Z, 2026-01-31 or 10:20, all in UTC", text)
}

// short is a time for people: of today without the date.
func short(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	layout := "2006-01-02 15:04"
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		layout = "15:04"
	}
	if t.Second() != 0 {
		layout += ":05"
	}
	return t.Format(layout)
}

// topicArgs are n arguments of which the first is a topic.
func topicArgs(n int, want string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return &usageError{cmd, "give " + want}
		}
		return nil
	}
}
