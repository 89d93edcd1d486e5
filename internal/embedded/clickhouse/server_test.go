package clickhouse_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse/clickhousetest"
	"github.com/chaperone-audit/chaperone/internal/health"
)

func start(t *testing.T, opts clickhouse.Options) *clickhouse.Server {
	t.Helper()
	opts.Library = clickhousetest.Library(t)
	s, err := clickhouse.Start(t.Context(), opts)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// run runs a statement on a server that may be away for a moment: what one
// connection loses is asked again.
func run(t *testing.T, s *clickhouse.Server, sql string) string {
	t.Helper()
	for {
		resp, err := http.Post("http://"+s.Addr()+"/?query="+url.QueryEscape(sql), "", nil)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			continue
		}
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", sql, text)
		}
		return strings.TrimSpace(string(text))
	}
}

// A journal remembers what a server said of its health.
type journal struct {
	mu   sync.Mutex
	list []string
	news chan struct{}
}

func newJournal() *journal { return &journal{news: make(chan struct{}, 1000)} }

func (j *journal) set(s health.State, reason string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list = append(j.list, string(s)+" "+reason)
	j.news <- struct{}{}
}

// wait returns when the word is in the journal.
func (j *journal) wait(t *testing.T, word string) {
	t.Helper()
	for {
		j.mu.Lock()
		all := strings.Join(j.list, "\n")
		j.mu.Unlock()
		if strings.Contains(all, word) {
			return
		}
		select {
		case <-j.news:
		case <-time.After(time.Minute):
			t.Fatalf("never heard %q in\n%s", word, all)
		}
	}
}

// mustPID waits for the engine's process. The pid is 0 while there is none, and a
// signal to 0 would go to the tests themselves and to whoever started them.
func mustPID(t *testing.T, s *clickhouse.Server) int {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if pid := s.PID(); pid > 1 {
			return pid
		}
	}
	t.Fatal("there is no engine")
	return 0
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestAKilledEngineComesBackWithItsData(t *testing.T) {
	j := newJournal()
	s := start(t, clickhouse.Options{Dir: t.TempDir(), Health: j.set})
	run(t, s, "CREATE DATABASE d")
	run(t, s, "CREATE TABLE d.t (a UInt64) ENGINE = MergeTree ORDER BY a")
	run(t, s, "INSERT INTO d.t SELECT number FROM numbers(1000)")
	addr, pid := s.Addr(), mustPID(t, s)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	j.wait(t, "down the engine ended")
	if got := run(t, s, "SELECT count() FROM d.t"); got != "1000" {
		t.Errorf("%s rows", got)
	}
	if s.Addr() != addr || mustPID(t, s) == pid {
		t.Errorf("at %s as %d, before at %s as %d", s.Addr(), s.PID(), addr, pid)
	}
}

func TestASilentEngineIsReplaced(t *testing.T) {
	j := newJournal()
	s := start(t, clickhouse.Options{Dir: t.TempDir(), Health: j.set, HealthEvery: 20 * time.Millisecond, HealthWithin: 2 * time.Second})
	pid := mustPID(t, s)
	must(t, syscall.Kill(pid, syscall.SIGSTOP))
	j.wait(t, "it did not answer, and was killed")
	if got := run(t, s, "SELECT 1"); got != "1" {
		t.Errorf("got %s", got)
	}
	if alive(pid) {
		t.Error("the silent one is still there")
	}
}

func TestAnInterruptAtTheTerminalIsTheParentsBusiness(t *testing.T) {
	s := start(t, clickhouse.Options{Dir: t.TempDir()})
	pid := mustPID(t, s)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		must(t, syscall.Kill(pid, sig))
	}
	if got := run(t, s, "SELECT 1"); got != "1" || mustPID(t, s) != pid {
		t.Errorf("got %s from %d, before %d", got, s.PID(), pid)
	}
}

func TestStopEndsTheChildAndKeepsTheData(t *testing.T) {
	dir := t.TempDir()
	s := start(t, clickhouse.Options{Dir: dir})
	run(t, s, "CREATE DATABASE d")
	run(t, s, "CREATE TABLE d.t (a UInt64) ENGINE = MergeTree ORDER BY a")
	run(t, s, "INSERT INTO d.t VALUES (7)")
	pid := mustPID(t, s)
	must(t, s.Stop(t.Context()))
	if alive(pid) {
		t.Error("the child is still there")
	}
	if got := run(t, start(t, clickhouse.Options{Dir: dir}), "SELECT a FROM d.t"); got != "7" {
		t.Errorf("got %s", got)
	}
}

func TestStartSaysWhyNot(t *testing.T) {
	library := clickhousetest.Library(t)
	used := start(t, clickhouse.Options{Dir: t.TempDir()})
	for _, c := range []struct {
		outcome string
		opts    clickhouse.Options
		want    string
	}{
		{"no directory", clickhouse.Options{Library: library}, "no data directory"},
		{"no library", clickhouse.Options{Dir: t.TempDir(), Library: filepath.Join(t.TempDir(), "none.so")}, "no library"},
		{"not a library", clickhouse.Options{Dir: t.TempDir(), Library: "server_test.go"}, "load server_test.go"},
		{"an address that others reach", clickhouse.Options{Dir: t.TempDir(), Library: library, Addr: "0.0.0.0:0"}, "loopback only"},
		{"an address without a host", clickhouse.Options{Dir: t.TempDir(), Library: library, Addr: ":0"}, "loopback only"},
		{"a port that is taken", clickhouse.Options{Dir: t.TempDir(), Library: library, Addr: used.Addr()}, "in use"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			if _, err := clickhouse.Start(t.Context(), c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTwoOnOneDirectory(t *testing.T) {
	dir := t.TempDir()
	first := start(t, clickhouse.Options{Dir: dir})
	_, err := clickhouse.Start(t.Context(), clickhouse.Options{Dir: dir, Library: clickhousetest.Library(t)})
	want := fmt.Sprintf("is in use by another process (%d)", mustPID(t, first))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if got := run(t, first, "SELECT 1"); got != "1" {
		t.Errorf("the first one says %s", got)
	}
}

// lonelyEnv makes the test binary a parent with a server, waiting to be killed.
const lonelyEnv = "CHAPERONE_TEST_LONELY_PARENT"

// lonelyParent runs before everything else: see TestMain. It prints the pid of
// its child.
func lonelyParent() {
	if os.Getenv(lonelyEnv) == "" {
		return
	}
	dir, library, _ := strings.Cut(os.Getenv(lonelyEnv), "|")
	_ = os.Unsetenv(lonelyEnv)
	s, err := clickhouse.Start(context.Background(), clickhouse.Options{Dir: dir, Library: library})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for s.PID() == 0 {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(s.PID())
	select {}
}

func TestTheChildDoesNotOutliveAKilledParent(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), lonelyEnv+"="+dir+"|"+clickhousetest.Library(t))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	child, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(line)
	}
	if !alive(child) {
		t.Fatal("there is no child")
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	deadline := time.Now().Add(time.Minute)
	for alive(child) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(child, syscall.SIGKILL)
			t.Fatal("the child lives on")
		}
		time.Sleep(5 * time.Millisecond)
	}
	// ... and its directory is free.
	if got := run(t, start(t, clickhouse.Options{Dir: dir}), "SELECT 1"); got != "1" {
		t.Errorf("got %s", got)
	}
}
