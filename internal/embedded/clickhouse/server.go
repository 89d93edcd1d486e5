package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/internal/health"
)

// Options say how to run the engine.
type Options struct {
	// Dir is the data directory, created if need be. One process at a time.
	Dir string
	// Addr is where to listen, on loopback only; default 127.0.0.1:0, any free port.
	Addr string
	// Library is the path of libchdb, as the function Library gives it.
	Library string
	// MaxMemory bounds the memory of statements, in bytes; default 2 GiB. The
	// child takes about 300 MB beyond it.
	MaxMemory int64
	// Log hears of deaths, restarts and what the engine prints; nil is silence.
	Log *slog.Logger
	// Health, if set, is told how the engine is, for example health.Part.Set.
	// It is called from one goroutine at a time and must not call Stop.
	Health func(health.State, string)

	// HealthEvery is the time between two checks that a statement runs, default
	// 10 s; HealthWithin is the deadline of one, default 30 s. A child that misses
	// it is killed and replaced.
	HealthEvery, HealthWithin time.Duration
}

// A Server is a running engine with its supervisor. Safe for concurrent use.
type Server struct {
	opts     Options
	listener *net.TCPListener // kept open for the next child, never accepted from here
	stop     context.CancelFunc
	stopped  chan struct{} // closed when the supervisor has ended, and no child is left

	mu  sync.Mutex
	pid int // of the child, 0 while there is none
}

// Start runs the engine and waits until it answers, or says why it does not.
// ctx bounds the start alone; the server runs until Stop, or until this process
// ends in whatever way: the child never outlives it.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if err := checkPlatform(); err != nil {
		return nil, err
	}
	opts.Addr = cmp.Or(opts.Addr, "127.0.0.1:0")
	opts.MaxMemory = cmp.Or(opts.MaxMemory, 2<<30)
	opts.HealthEvery = cmp.Or(opts.HealthEvery, 10*time.Second)
	opts.HealthWithin = cmp.Or(opts.HealthWithin, 30*time.Second)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Health == nil {
		opts.Health = func(health.State, string) {}
	}
	if opts.Dir == "" {
		return nil, errors.New("start the embedded ClickHouse: no data directory given")
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("start the embedded ClickHouse: %w", err)
	}
	opts.Dir = dir
	if _, err := os.Stat(opts.Library); err != nil {
		return nil, fmt.Errorf("start the embedded ClickHouse: no library: %w", err)
	}
	l, err := listenLoopback(ctx, opts.Addr)
	if err != nil {
		return nil, fmt.Errorf("start the embedded ClickHouse: %w", err)
	}
	run, stop := context.WithCancel(context.Background())
	s := &Server{opts: opts, listener: l, stop: stop, stopped: make(chan struct{})}
	first := make(chan error, 1)
	go s.supervise(run, first)
	select {
	case err = <-first:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		stop()
		<-s.stopped
		return nil, fmt.Errorf("start the embedded ClickHouse: %w", err)
	}
	return s, nil
}

// listenLoopback refuses addresses that others can reach: the port asks for no
// password.
func listenLoopback(ctx context.Context, addr string) (*net.TCPListener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listen on %q: the embedded ClickHouse asks for no password and so listens on loopback only, for example 127.0.0.1:8123", addr)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// Addr is where it listens: host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// DSN is the address for clickhouse-go, without a database.
func (s *Server) DSN() string { return "http://default@" + s.Addr() }

// PID is the process of the engine, 0 while it is being replaced.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pid
}

func (s *Server) setPID(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pid = pid
}

// Stop ends the engine: statements under way get a few seconds, then it is
// killed. It returns when the child is gone, or when ctx ends, and then says so;
// the child ends all the same. Stop twice is fine.
func (s *Server) Stop(ctx context.Context) error {
	s.stop()
	select {
	case <-s.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the embedded ClickHouse: %w", ctx.Err())
	}
}
