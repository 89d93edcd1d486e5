package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitFailed = 1
	exitUsage  = 2 // the command line is wrong
	exitNotYet = 3 // what was waited for has not come
)

// execute runs a command line and gives the exit status.
func (p program) execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(p)
	root.SetArgs(backwards(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "chaperone: %v\n", err)
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		fmt.Fprintf(stderr, "Try: %s\n", h.Hint())
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*notYetError](err); ok {
		return exitNotYet
	}
	return exitFailed
}

func newRoot(p program) *cobra.Command {
	root := &cobra.Command{
		Use:   "chaperone",
		Short: "The completeness audit for Kafka",
		Long: `Chaperone counts every message of every audited topic, per ten minutes of event
time, and keeps the counts where they can be asked for: did everything that went
in come out?

Try it on this machine, with nothing installed:
  chaperone standalone
Audit your own Kafka:
  chaperone standalone --brokers localhost:9092`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // RunE says it better
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			e := &usageError{cmd: cmd, text: fmt.Sprintf("%q is no command", args[0])}
			if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
				e.text += fmt.Sprintf("; did you mean %q?", like[0])
			}
			return e
		},
		SuggestionsMinimumDistance: 2,
		CompletionOptions:          cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{cmd, err.Error()} })
	root.AddCommand(
		newStandalone(p), newCount(p), newCollect(p), newSink(p), newAlert(p), newServe(p),
		newCodec(p), newProduce(p), newConsume(p), newTorture(),
		newStatus(p), newWhy(p), newLateness(p), newWait(p), newCertify(p), newAlerts(p), newRules(p), newTopology(p), newCheckConfig(p), newVersion(),
	)
	return root
}

// A usageError is a command line that is wrong.
type usageError struct {
	cmd  *cobra.Command
	text string
}

func (e *usageError) Error() string { return e.text }
func (e *usageError) Hint() string  { return e.cmd.CommandPath() + " --help" }

// noArgs is cobra.NoArgs with our error.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{cmd, fmt.Sprintf("%q is not wanted: the command takes flags only", args[0])}
	}
	return nil
}
