// Package children runs programs as children of this one: for tools that start
// chaperone, kill it, pause it, and read what it says. On Linux no child
// outlives the program, whatever ends it.
package children

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

// Chaperone is the package that Build builds: the real thing.
const Chaperone = "github.com/chaperone-audit/chaperone/cmd/chaperone"

// Build makes the chaperone binary in a folder, by the go command with more
// arguments if there are any.
func Build(ctx context.Context, dir string, args ...string) (binary string, err error) {
	binary = filepath.Join(dir, "chaperone")
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, args...), "-o", binary, Chaperone)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build chaperone: %w\n%s", err, out)
	}
	return binary, nil
}

// A Group is children that run one binary. Its methods may be called from any
// goroutine. Close ends all that are left.
type Group struct {
	binary string
	dir    string      // of their logs
	died   func(error) // hears of a child that ended without being told to
	starts chan func() // run by one thread that never ends: see New
	mu     sync.Mutex
	all    []*Child
}

// New has children of a binary, with their output in dir. died hears of each
// that ends without being told to; it may be called from any goroutine.
func New(binary, dir string, died func(error)) *Group {
	ps := &Group{binary: binary, dir: dir, died: died, starts: make(chan func())}
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

// A Child is a running program.
type Child struct {
	Name  string
	Ended chan struct{} // closed when it has
	Log   string        // file with its output; later runs of the same name add to it

	from int64 // where the output of this run begins
	cmd  *exec.Cmd
	err  error // how it ended; read after Ended

	mu   sync.Mutex
	told bool // to end
}

// Start runs the binary with arguments. The name tells children apart for people.
func (ps *Group) Start(name string, args ...string) (*Child, error) {
	return ps.StartBinary(name, ps.binary, nil, args...)
}

// StartBinary is Start with another binary, and with more in its environment.
func (ps *Group) StartBinary(name, binary string, env []string, args ...string) (*Child, error) {
	p := &Child{Name: name, Log: filepath.Join(ps.dir, name+".log"), Ended: make(chan struct{})}
	out, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	defer out.Close()
	if p.from, err = out.Seek(0, io.SeekEnd); err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Dir = ps.dir
	p.cmd.Env = append(cleanEnv(), env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := ps.StartOther(p.cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	ps.mu.Lock()
	ps.all = append(ps.all, p)
	ps.mu.Unlock()
	go func() {
		p.err = p.cmd.Wait()
		close(p.Ended)
		p.mu.Lock()
		told := p.told
		p.mu.Unlock()
		if !told {
			ps.died(fmt.Errorf("%s ended by itself (%v); the end of its output:\n%s", p.Name, p.cmd.ProcessState, p.Tail()))
		}
	}()
	return p, nil
}

// StartOther starts any command so that it does not outlive this program. The
// caller waits for it.
func (ps *Group) StartOther(cmd *exec.Cmd) error {
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

// PID is its process.
func (p *Child) PID() int { return p.cmd.Process.Pid }

// Signal sends a signal that is not meant to end it, such as SIGSTOP. It fails
// only if the child has ended, which is seen elsewhere.
func (p *Child) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// tell sends a signal that ends it.
func (p *Child) tell(s os.Signal) {
	p.mu.Lock()
	p.told = true
	p.mu.Unlock()
	p.Signal(s)
}

// Kill ends it by SIGKILL and waits until it is gone.
func (p *Child) Kill() {
	p.tell(syscall.SIGKILL)
	<-p.Ended
}

// Stop ends it as an operator would. That it takes longer than a minute, or ends
// with a status other than 0, is an error.
func (p *Child) Stop() error {
	p.tell(syscall.SIGTERM)
	select {
	case <-p.Ended:
	case <-time.After(time.Minute):
		p.Kill()
		return fmt.Errorf("%s did not end within a minute of SIGTERM; the end of its output:\n%s", p.Name, p.Tail())
	}
	if p.err != nil && !p.wasBorn() {
		return nil
	}
	if p.err != nil {
		return fmt.Errorf("%s ended with %w after SIGTERM; the end of its output:\n%s", p.Name, p.err, p.Tail())
	}
	return nil
}

// wasBorn says whether it had come to anything. A program that gets a signal
// before it has said that it will handle it, ends by it: that is in order.
func (p *Child) wasBorn() bool {
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM || len(p.Output()) > 0
}

// Stop ends all that run, in the order of their start.
func (ps *Group) Stop() error {
	var errs []error
	for _, p := range ps.List() {
		select {
		case <-p.Ended:
		default:
			errs = append(errs, p.Stop())
		}
	}
	return errors.Join(errs...)
}

// Close kills all that run. There is no start after it.
func (ps *Group) Close() {
	for _, p := range ps.List() {
		p.Kill()
	}
}

// List gives all that were started, in that order.
func (ps *Group) List() []*Child {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return append([]*Child(nil), ps.all...)
}

// Output is what this run has written so far.
func (p *Child) Output() []byte {
	f, err := os.Open(p.Log)
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

// Tail is the end of its output, some lines, for people.
func (p *Child) Tail() string {
	lines := bytes.Split(bytes.TrimSpace(p.Output()), []byte("\n"))
	return "  " + string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n  ")))
}

// Says waits until its output matches, and gives the first group.
func (p *Child) Says(ctx context.Context, what string, pattern *regexp.Regexp) (string, error) {
	for {
		if m := pattern.FindSubmatch(p.Output()); m != nil {
			return string(m[1]), nil
		}
		select {
		case <-p.Ended:
			return "", fmt.Errorf("%s ended before it said %s (%v); the end of its output:\n%s", p.Name, what, p.cmd.ProcessState, p.Tail())
		case <-ctx.Done():
			return "", fmt.Errorf("%s has not said %s: %w; the end of its output:\n%s", p.Name, what, context.Cause(ctx), p.Tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// RestAt matches where a chaperone says that it answers REST.
var RestAt = regexp.MustCompile(`msg=started .*\bhttp=(\S+)`)

// Rest waits until a chaperone says where it answers REST, and gives the address.
func (p *Child) Rest(ctx context.Context) (string, error) {
	addr, err := p.Says(ctx, "where REST is", RestAt)
	return "http://" + addr, err
}
