package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// run runs parts of chaperone until a signal. The first one ends them in order,
// so that what is under way becomes durable; a second one ends the process.
func run(cmd *cobra.Command, s *settings, standalone bool, parts ...app.Part) error {
	c, warnings, err := s.load()
	if err != nil {
		return err
	}
	log := newLog(c.Log, cmd.ErrOrStderr())
	for _, w := range warnings {
		log.Warn(w)
	}
	ctx, stop := untilSignal(cmd.Context(), cmd.ErrOrStderr(), "what is not stored is not committed, and the next owner counts it again: nothing is lost")
	defer stop()
	a, err := app.New(ctx, app.Options{
		Config: &c, Parts: parts, Standalone: standalone, Version: version(), Log: log, Progress: cmd.ErrOrStderr(), Codecs: s.codecs,
	})
	switch {
	case err != nil && ctx.Err() != nil:
		log.Info("stopped before it had started", "waited_for", err)
		return nil
	case err != nil:
		return err
	}
	log.Info("started", "version", version(), "parts", parts, "http", a.Addr())
	err = a.Run(ctx)
	if ctx.Err() != nil && errors.Is(err, shards.ErrLeft) {
		fmt.Fprintf(cmd.ErrOrStderr(), "chaperone: %v\n", err)
		return nil // the next owner does it: nobody has to do anything
	}
	return err
}

// untilSignal ends the context at the first SIGINT or SIGTERM. At a second one
// the process ends at once, as a shell expects of one that a signal has ended,
// and says what becomes of what it was doing.
func untilSignal(ctx context.Context, stderr io.Writer, unfinished string) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for first := true; ; first = false {
			select {
			case s := <-signals:
				if !first {
					fmt.Fprintf(stderr, "chaperone: ended at once by a second signal (%s); %s\n", s, unfinished)
					os.Exit(128 + int(s.(syscall.Signal)))
				}
				cancel()
			case <-done:
				return
			}
		}
	}()
	var once sync.Once
	return ctx, func() {
		once.Do(func() {
			signal.Stop(signals)
			close(done)
			cancel()
		})
	}
}
