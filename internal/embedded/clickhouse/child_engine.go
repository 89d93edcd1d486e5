//go:build linux && amd64 && !noembed

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// embedded says whether this build has the engine.
const embedded = true

const (
	// lockWait is for a former owner of the directory that is about to die.
	lockWait = 3 * time.Second
	// drainWait is for requests under way when the parent asks for the end. The
	// parent waits longer than that and then kills: see stopWait.
	drainWait = 3 * time.Second
)

// runChild serves until standard input ends, which it does when the parent
// closes it and when the parent dies, however it dies. (The parent-death signal
// that process.go asks for is quicker, and depends on the kernel.)
func runChild(c childConfig) error {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
		time.Sleep(drainWait + time.Second)
		os.Exit(0) // whatever the engine is doing: what it has committed is on disk
	}()
	socket := os.NewFile(3, "listener")
	l, err := net.FileListener(socket)
	if err != nil {
		return fmt.Errorf("take over the listening socket: %w", err)
	}
	_ = socket.Close()
	unlock, err := lockDir(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	e, err := openEngine(c.Library)
	if err != nil {
		return err
	}
	h, err := newHandler(e, c.Dir, fmt.Sprintf("--max_server_memory_usage=%d", c.MaxMemory))
	if err != nil {
		return fmt.Errorf("open the data directory %s: %w", c.Dir, err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	fmt.Println(childReady, e.version())
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ended:
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainWait)
	defer cancel()
	if srv.Shutdown(ctx) == nil { // else statements still run, and the engine must not be closed under them
		h.Close()
	}
	return nil
}

// lockDir takes the data directory for this process. The engine does so too, but
// refuses without saying why.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	name := filepath.Join(dir, "chaperone.lock")
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	for deadline := time.Now().Add(lockWait); ; time.Sleep(50 * time.Millisecond) {
		err := tryLock(f)
		if err == nil {
			break
		}
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		if time.Now().After(deadline) {
			owner, _ := os.ReadFile(name)
			_ = f.Close()
			return nil, fmt.Errorf("the data directory %s is in use by another process%s; stop that one, or give this one a directory of its own",
				dir, ofPID(string(owner)))
		}
	}
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return func() { _ = f.Close() }, nil
}

func ofPID(s string) string {
	if s = strings.TrimSpace(s); s != "" {
		return " (" + s + ")"
	}
	return ""
}
