package cmd

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newWhy(p program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why TOPIC WINDOW",
		Short: "Say why a window has its verdict",
		Long: `Gives the chain of evidence of a window: its verdict and what was found, what each tier
has counted and up to when, each source with its record and who counts it, what can
no longer be counted, who fell silent, and what would change the verdict. The window
is the one that holds a time: 2026-01-31T10:20:00Z, 10:20 (the last one that was, in
UTC), or -1 for the last window that has ended, -2 for the one before.`,
		Example: `  chaperone why orders 10:20
  chaperone why orders -1
  chaperone why orders 2026-01-31T10:20:00Z --url http://chaperone:9000`,
		Args: topicArgs(2, "a topic and a window, such as: orders 10:20"),
	}
	a := addAsking(cmd, p)
	a.printsJSON(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.why(cmd, args[0], args[1]) }
	return cmd
}

// backwards lets -1 be an argument of why, where a flag is expected.
func backwards(args []string) []string {
	if len(args) == 0 || args[0] != "why" {
		return args
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if n, err := strconv.Atoi(arg); err == nil && n < 0 {
			args[i] = "~" + strconv.Itoa(-n)
		}
	}
	return args
}

func (a *asking) why(cmd *cobra.Command, topic, window string) error {
	if back, ok := strings.CutPrefix(window, "~"); ok {
		window = "-" + back
	} else {
		t, err := moment(window, a.clock())
		if err != nil {
			return &usageError{cmd, "WINDOW: " + err.Error() + ", or -1 for the last window that has ended"}
		}
		window = t.Format(time.RFC3339)
	}
	c, err := a.client(cmd)
	if err != nil {
		return err
	}
	x, err := c.Why(cmd.Context(), topic, window)
	if err != nil {
		return unanswered(err)
	}
	out := cmd.OutOrStdout()
	if a.json {
		return printJSON(out, x)
	}
	for _, s := range x.Sentences {
		fmt.Fprintln(out, s)
	}
	if len(x.Changes) > 0 {
		fmt.Fprintln(out, "what would change it:")
	}
	for _, s := range x.Changes {
		fmt.Fprintln(out, "  "+s)
	}
	return nil
}
