// Package clickhousetest gives tests a ClickHouse: one embedded engine for all
// tests of a package, started when the first asks.
//
//	func TestMain(m *testing.M) { clickhousetest.Main(m) }
package clickhousetest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
)

// DSNEnv names a real ClickHouse server to test against instead. Tests leave
// databases behind when they are killed: give one that may be thrown away.
const DSNEnv = "CHAPERONE_TEST_CLICKHOUSE_DSN"

var shared struct {
	once   sync.Once
	server *clickhouse.Server
	dir    string
	err    error
}

// Main runs the tests of a package and stops the engine afterwards. It does not return.
func Main(m *testing.M) {
	clickhouse.RunChildIfAsked()
	code := m.Run()
	if shared.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if err := shared.server.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
		cancel()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// Library is the engine's library, fetched if it is not in the cache.
func Library(tb testing.TB) string {
	tb.Helper()
	path, err := clickhouse.Library(context.Background(), clickhouse.LibraryOptions{Progress: os.Stderr})
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// MustServer is the engine that the tests of the package share.
func MustServer(tb testing.TB) *clickhouse.Server {
	tb.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "chaperone-clickhouse-"); shared.err != nil {
			return
		}
		shared.server, shared.err = clickhouse.Start(context.Background(), clickhouse.Options{Dir: shared.dir, Library: Library(tb)})
	})
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	if shared.server == nil {
		tb.Fatal("the shared ClickHouse was not started: see the first test that asked for it")
	}
	return shared.server
}

// MustDSN is the address of a ClickHouse to test against: that of the
// environment, else of the shared engine.
func MustDSN(tb testing.TB) string {
	tb.Helper()
	if dsn := os.Getenv(DSNEnv); dsn != "" {
		return dsn
	}
	return MustServer(tb).DSN()
}
