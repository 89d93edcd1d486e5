package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/chaperone-audit/chaperone/app"
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
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	a, err := app.New(ctx, app.Options{
		Config: &c, Parts: parts, Standalone: standalone, Version: version(), Log: log, Progress: cmd.ErrOrStderr(),
	})
	switch {
	case err != nil && ctx.Err() != nil:
		log.Info("stopped before it had started", "waited_for", err)
		return nil
	case err != nil:
		return err
	}
	log.Info("started", "version", version(), "parts", parts, "http", a.Addr())
	return a.Run(ctx)
}

// untilSignal ends the context at the first SIGINT or SIGTERM, and from then on
// leaves signals to the system, which ends the process.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
