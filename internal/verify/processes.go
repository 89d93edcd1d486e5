package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// binaryPackage is what is built and run: the real thing.
const binaryPackage = "github.com/chaperone-audit/chaperone/cmd/chaperone"

// build makes the binary in a folder.
func build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "chaperone")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, binaryPackage)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build chaperone: %w\n%s", err, out)
	}
	return binary, nil
}

// processes are the children of this program that run chaperone. Its methods may
// be called from any goroutine. close ends all that are left.
type processes struct {
	binary string
	dir    string      // of their logs
	died   func(error) // hears of a child that ended without being told to
	starts chan func() // run by one thread that never ends: see newProcesses
	mu     sync.Mutex
	all    []*process
}

// newProcesses has children of a binary, with their output in dir. died may be
// called from any goroutine.
func newProcesses(binary, dir string, died func(error)) *processes {
	ps := &processes{binary: binary, dir: dir, died: died, starts: make(chan func())}
	go func() {
		// The kernel's signal on the parent's death means the thread that started
		// the child, so that thread must live as long as this program.
		runtime.LockOSThread()
		for start := range ps.starts {
			start()
		}
	}()
	return ps
}

// A process is a running chaperone.
type process struct {
	name  string
	args  []string
	log   string // file with its output; later runs of the same name add to it
	from  int64  // where the output of this run begins
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has
	err   error         // how it ended; read after ended

	mu   sync.Mutex
	told bool // to end
}

// start runs `chaperone args...`. The name tells processes apart for people.
func (ps *processes) start(name string, args ...string) (*process, error) {
	p := &process{name: name, args: args, log: filepath.Join(ps.dir, name+".log"), ended: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	defer out.Close()
	if p.from, err = out.Seek(0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	p.cmd = exec.Command(ps.binary, args...)
	p.cmd.Dir = ps.dir
	p.cmd.Env = cleanEnv()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := ps.startOther(p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	ps.mu.Lock()
	ps.all = append(ps.all, p)
	ps.mu.Unlock()
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
		p.mu.Lock()
		told := p.told
		p.mu.Unlock()
		if !told {
			ps.died(fmt.Errorf("%s ended by itself (%v); the end of its output:\n%s", p.name, p.cmd.ProcessState, p.tail()))
		}
	}()
	return p, nil
}

// startOther starts any command so that it does not outlive this program. The
// caller waits for it.
func (ps *processes) startOther(cmd *exec.Cmd) error {
	cmd.SysProcAttr = childAttr()
	started := make(chan error)
	ps.starts <- func() { started <- cmd.Start() }
	return <-started
}

// cleanEnv is the environment without settings of chaperone, but with where
// fetched things are kept.
func cleanEnv() (env []string) {
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "CHAPERONE_") || name == "CHAPERONE_CACHE" || name == "CHAPERONE_LIBCHDB" {
			env = append(env, kv)
		}
	}
	return env
}

func (p *process) signal(s os.Signal) {
	p.mu.Lock()
	p.told = true
	p.mu.Unlock()
	// It fails only if the process has ended, which is seen elsewhere.
	_ = p.cmd.Process.Signal(s)
}

// kill ends it by SIGKILL and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

// stop ends it as an operator would. That it takes longer than a minute, or ends
// with a status other than 0, is an error.
func (p *process) stop() error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.kill()
		return fmt.Errorf("%s did not end within a minute of SIGTERM; the end of its output:\n%s", p.name, p.tail())
	}
	if p.err != nil {
		return fmt.Errorf("%s ended with %w after SIGTERM; the end of its output:\n%s", p.name, p.err, p.tail())
	}
	return nil
}

// stop ends all that run, in the order of their start.
func (ps *processes) stop() error {
	var errs []error
	for _, p := range ps.list() {
		select {
		case <-p.ended:
		default:
			errs = append(errs, p.stop())
		}
	}
	return errors.Join(errs...)
}

// close kills all that run. There is no start after it.
func (ps *processes) close() {
	for _, p := range ps.list() {
		p.kill()
	}
}

func (ps *processes) list() []*process {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return append([]*process(nil), ps.all...)
}

// output is what this run has written so far.
func (p *process) output() []byte {
	f, err := os.Open(p.log)
	if err != nil {
		return nil
	}
	defer f.Close()
	if _, err := f.Seek(p.from, io.SeekStart); err != nil {
		return nil
	}
	b, _ := io.ReadAll(f)
	return b
}

// tail is the end of its output, some lines, for people.
func (p *process) tail() string {
	lines := bytes.Split(bytes.TrimSpace(p.output()), []byte("\n"))
	return "  " + string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n  ")))
}

// says waits until its output matches, and gives the first group.
func (p *process) says(ctx context.Context, what string, pattern *regexp.Regexp) (string, error) {
	for {
		if m := pattern.FindSubmatch(p.output()); m != nil {
			return string(m[1]), nil
		}
		select {
		case <-p.ended:
			return "", fmt.Errorf("%s ended before it said %s (%v); the end of its output:\n%s", p.name, what, p.cmd.ProcessState, p.tail())
		case <-ctx.Done():
			return "", fmt.Errorf("%s has not said %s: %w; the end of its output:\n%s", p.name, what, context.Cause(ctx), p.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
