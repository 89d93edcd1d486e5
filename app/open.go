package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/internal/health"
	sinkch "github.com/chaperone-audit/chaperone/sinks/clickhouse"
	"github.com/chaperone-audit/chaperone/sinks/memory"
)

// dir is a folder of the embedded parts; empty if they keep nothing.
func (a *App) dir(name string) string {
	if a.cfg.Embedded.Dir == "" {
		return ""
	}
	return filepath.Join(a.cfg.Embedded.Dir, name)
}

// openStore prepares the store, and starts the embedded engine if it is that. A
// store that is away is no reason not to start.
func (a *App) openStore(ctx context.Context) error {
	if !a.has(Sink) && !a.has(Serve) {
		return nil
	}
	if a.cfg.Store.Kind == config.Memory {
		a.store = memory.New(memory.Options{MaxAge: a.cfg.Store.TTL})
		return nil
	}
	dsn := string(a.cfg.Store.DSN)
	if a.cfg.EmbeddedClickHouse() {
		if !a.o.Standalone {
			return errors.New("store.dsn: empty, and the embedded ClickHouse is with `chaperone standalone` only; give --dsn, or --store memory for a trial")
		}
		if err := a.startClickHouse(ctx); err != nil {
			return err
		}
		dsn = a.clickhouse.DSN()
	}
	store, err := sinkch.New(ctx, sinkch.Options{DSN: dsn, Database: a.cfg.Store.Database, TTL: a.cfg.Store.TTL, Timeout: a.cfg.Store.Timeout, Log: a.log})
	if err != nil {
		return err
	}
	a.store = store
	a.closers.add("store", store.Close)
	return nil
}

func (a *App) startClickHouse(ctx context.Context) error {
	library, err := clickhouse.Library(ctx, clickhouse.LibraryOptions{Path: a.cfg.Embedded.Library, Progress: a.o.Progress})
	if err != nil {
		return err
	}
	part := a.health.Part("embedded clickhouse")
	server, err := clickhouse.Start(ctx, clickhouse.Options{
		Dir: a.dir("clickhouse"), Addr: a.cfg.Embedded.ClickHouseAddr, Library: library, Log: a.log,
		Health: func(s health.State, reason string) { part.Set(s, reason) },
	})
	if err != nil {
		return err
	}
	a.clickhouse = server
	a.closers.add("embedded clickhouse", func() error {
		stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return server.Stop(stop)
	})
	fmt.Fprintf(a.o.Progress, "embedded ClickHouse at http://%s (try: curl 'http://%s/?query=SELECT+version()')\n", server.Addr(), server.Addr())
	return nil
}
