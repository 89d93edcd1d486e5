package clickhouse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A child is a process that runs the engine.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer  // its end asks the child to end
	ended chan error // its fate, once
}

// spawn starts a child and waits for its word.
func (s *Server) spawn(ctx context.Context) (*child, error) {
	program, err := thisProgram()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	config, err := json.Marshal(childConfig{Dir: s.opts.Dir, Library: s.opts.Library, MaxMemory: s.opts.MaxMemory})
	if err != nil {
		return nil, err
	}
	socket, err := s.listener.File()
	if err != nil {
		return nil, fmt.Errorf("hand over the listening socket: %w", err)
	}
	defer socket.Close()
	said := &lines{log: s.opts.Log}
	cmd := exec.Command(program)
	cmd.Args = []string{"chaperone-clickhouse"} // what ps shows
	cmd.Env = append(os.Environ(), childEnv+"="+string(config))
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = diesWithParent()
	cmd.Stderr = said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, stdin: stdin, ended: make(chan error, 1)}
	word := make(chan string, 1)
	go func() {
		out := bufio.NewReader(stdout)
		line, _ := out.ReadString('\n')
		word <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, out)
		err := cmd.Wait()
		if err == nil {
			err = errors.New("the engine process ended")
		}
		c.ended <- fmt.Errorf("%w%s", err, said.last())
	}()
	timer := time.NewTimer(startWait)
	defer timer.Stop()
	select {
	case w := <-word:
		if strings.HasPrefix(w, childReady) {
			return c, nil
		}
		err = <-c.ended
		if why, ok := strings.CutPrefix(w, childFailed); ok {
			err = errors.New(why + said.last())
		}
		return nil, err
	case <-timer.C:
		err = fmt.Errorf("the engine did not start within %s%s", startWait, said.last())
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.kill()
	<-c.ended
	return nil, err
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// kill ends the child at once.
func (c *child) kill() { _ = c.cmd.Process.Kill() }

// stop asks the child to end, and returns when it has.
func (c *child) stop() {
	_ = c.stdin.Close()
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	select {
	case <-c.ended:
		return
	case <-timer.C:
		c.kill()
		<-c.ended
	}
}

// lines logs what the child prints, and remembers the last of it.
type lines struct {
	log *slog.Logger

	mu   sync.Mutex
	tail []byte
}

// keepTail is how much is remembered for an error.
const keepTail = 2 << 10

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, b...)
	l.tail = l.tail[max(0, len(l.tail)-keepTail):]
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			l.log.Debug("the embedded ClickHouse says", "line", string(line))
		}
	}
	return len(b), nil
}

func (l *lines) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if tail := strings.TrimSpace(string(l.tail)); tail != "" {
		return "; it said: " + tail
	}
	return ""
}
