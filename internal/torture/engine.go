package torture

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
)

// engine is a ClickHouse that can be away, and whose disk can be full. Safe for
// concurrent use.
type engine struct {
	dir     string
	library string
	disk    string // where its disk is, if that is small enough to be filled; else empty
	release func() // of the disk

	mu     sync.Mutex
	server *clickhouse.Server // nil while it is away
	addr   string             // stays the same for life
}

// diskSize is more than the engine needs, and soon filled.
const diskSize = 768 << 20

// slowly is from which rest on its disk is filled slowly: twice what chaperone spares.
const slowly = 128 << 20

func startEngine(ctx context.Context, dir string, progress io.Writer) (*engine, error) {
	library, err := clickhouse.Library(ctx, clickhouse.LibraryOptions{Progress: progress})
	if err != nil {
		return nil, err
	}
	e := &engine{dir: filepath.Join(dir, "clickhouse"), library: library, addr: "127.0.0.1:0", release: func() {}}
	if err := os.MkdirAll(e.dir, 0o755); err != nil {
		return nil, fmt.Errorf("folder of ClickHouse: %w", err)
	}
	if release, err := smallDisk(e.dir, diskSize); err == nil {
		e.disk, e.release = e.dir, release
	}
	if err := e.start(ctx); err != nil {
		e.release()
		return nil, err
	}
	return e, nil
}

func (e *engine) start(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := clickhouse.Start(ctx, clickhouse.Options{Dir: filepath.Join(e.dir, "data"), Library: e.library, Addr: e.addr})
	if err != nil {
		return err
	}
	e.server, e.addr = s, s.Addr()
	return nil
}

// kill ends it at once, whatever it is writing; it does not come back by itself.
func (e *engine) kill() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server == nil {
		return nil
	}
	if pid := e.server.PID(); pid > 0 {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // what is left of it ends below
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := e.server.Stop(ctx)
	e.server = nil
	return err
}

func (e *engine) close() error {
	err := e.kill()
	e.release()
	return err
}

func (e *engine) dsn() string { return "http://default@" + e.addr }

// fillDisk takes what is left of its disk until undo is called. As real disks do, it
// fills slowly in the end: inserts that have begun with room to spare may end.
func (e *engine) fillDisk() (undo func() error, err error) {
	name := filepath.Join(e.disk, "ballast")
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("fill the disk: %w", err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for err == nil {
		if free(e.disk) < slowly {
			time.Sleep(12 * time.Millisecond)
		}
		_, err = f.Write(block)
	}
	for n := len(block) / 2; n >= 512; n /= 2 { // and the rest of it
		_, _ = f.Write(block[:n])
	}
	return func() error { return os.Remove(name) }, nil
}

// do has it carry out a statement.
func (e *engine) do(ctx context.Context, statement string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+e.addr+"/", strings.NewReader(statement))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
