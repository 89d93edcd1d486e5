package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is the real program, `chaperone count`, as a user runs it.
type process struct {
	cmd   *exec.Cmd
	log   string // file
	ended chan struct{}
	err   error // after ended
}

// build makes the binary that processes run.
func build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "chaperone")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/chaperone-audit/chaperone/cmd/chaperone")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build chaperone: %w\n%s", err, out)
	}
	return binary, nil
}

// counting starts a counting instance with own topics of that prefix, on the
// client's CPU. What is configured besides comes as key=value.
func (r *runner) counting(own, topics string, set ...string) (*process, error) {
	r.n++
	p := &process{log: filepath.Join(r.dir, fmt.Sprintf("count-%d.log", r.n)), ended: make(chan struct{})}
	args := []string{"count", "--brokers", strings.Join(r.kafka.Brokers(), ","), "--http", "127.0.0.1:0"}
	for _, kv := range append([]string{"audit.prefix=" + own, `topics.include=["` + topics + `"]`, "topics.exclude=[]", `codecs=[{topics: ".*", codec: json}]`,
		"count.display_group=" + own + "-display", "log.format=json"}, set...) {
		args = append(args, "--set", kv)
	}
	p.cmd = exec.Command(r.binary, args...)
	p.cmd.SysProcAttr = childAttr()
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "CHAPERONE_") {
			p.cmd.Env = append(p.cmd.Env, kv)
		}
	}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	// Affinity is inherited. The signal on the parent's death means the thread that
	// started the child, which must not end before.
	runtime.LockOSThread()
	if err := pin(r.client); err != nil {
		return nil, err
	}
	err = p.cmd.Start()
	if back := pin(r.server); err == nil {
		err = back
	}
	if err != nil {
		return nil, fmt.Errorf("start chaperone: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process as an operator would.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails if it has ended
	select {
	case <-p.ended:
	case <-time.After(time.Minute):
		p.kill()
		return fmt.Errorf("chaperone did not end within a minute; the end of its log:\n%s", p.tail())
	}
	if p.err != nil {
		return fmt.Errorf("chaperone: %w; the end of its log:\n%s", p.err, p.tail())
	}
	return nil
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	return string(b[max(0, len(b)-4000):])
}

// memory is what the system says is resident now, and was at most, in bytes.
func (p *process) memory() (resident, peak int64, err error) {
	return memoryOf(strconv.Itoa(p.cmd.Process.Pid))
}

// cpu is the time on a CPU that the process has taken, user and system.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time of a process: %w", err)
	}
	// The name, in parentheses, may hold anything; behind it times are 12th and 13th.
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("CPU time of a process: %q", stat)
	}
	ticks := 0
	for _, text := range f[11:13] {
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("CPU time of a process: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil // USER_HZ is 100 wherever Go runs
}

// said waits for a message in the log and gives its attributes.
func (p *process) said(ctx context.Context, msg string) (map[string]any, error) {
	for {
		b, err := os.ReadFile(p.log)
		if err != nil {
			return nil, err
		}
		for line := range bytes.Lines(b) {
			var entry map[string]any
			if json.Unmarshal(line, &entry) == nil && entry["msg"] == msg {
				return entry, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %q in the log: %w; its end:\n%s", msg, context.Cause(ctx), p.tail())
		case <-p.ended:
			return nil, fmt.Errorf("chaperone ended (%v) before it said %q; the end of its log:\n%s", p.err, msg, p.tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// metric reads one of the process's metrics that has no labels.
func (p *process) metric(ctx context.Context, name string) (float64, error) {
	started, err := p.said(ctx, "started")
	if err != nil {
		return 0, err
	}
	resp, err := http.Get(fmt.Sprintf("http://%v/metrics", started["http"]))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			_, _ = io.Copy(io.Discard, resp.Body)
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}
