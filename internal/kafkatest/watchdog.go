package kafkatest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// A broker is the child of a watchdog, and the watchdog is the child of the
// program that wants the broker:
//
//	program ──pipe──► watchdog ──► java kafka.Kafka
//
// The watchdog is this same program, started again with watchdogEnv set. It
// does what the pipe says (start, term, kill, pause, resume), and when the pipe
// ends, because the program closed it or died of whatever, it kills the broker
// and removes its folder. If the watchdog itself is killed, the kernel kills the
// broker (on Linux). Being the parent, the watchdog signals the broker and
// nothing that has taken its pid since.
const watchdogEnv = "CHAPERONE_KAFKATEST_WATCHDOG"

// termTimeout is how long a broker may take to leave. One without its quorum
// never does.
const termTimeout = 20 * time.Second

// A watchOrder is a line to the watchdog.
type watchOrder struct {
	Do     string   // "start", "term", "kill", "pause" or "resume"
	Args   []string `json:",omitempty"` // of start: program and arguments
	Log    string   `json:",omitempty"` // of start: file that its output is added to
	Remove string   `json:",omitempty"` // of start: folder to remove in the end
}

// A watchReply is a line from the watchdog, one for each order; and one more,
// whenever it happens, for the end of the broker.
type watchReply struct {
	Event string // "started", "ended" or "done"
	Pid   int    `json:",omitempty"`
	Error string `json:",omitempty"` // why it could not start, or how it ended
}

func init() {
	if os.Getenv(watchdogEnv) == "" {
		return
	}
	// The kernel's signal on the parent's death means the thread that started
	// the child, so this one must not end before the process.
	runtime.LockOSThread()
	// A reply to a program that has died must not end the watchdog before it has
	// cleaned up, nor must the end of the terminal.
	ignoreSignals()
	watch(os.Stdin, os.Stdout)
	os.Exit(0)
}

// watch is the watchdog's life.
func watch(orders io.Reader, replies io.Writer) {
	var mu sync.Mutex // of replies
	reply := func(r watchReply) {
		b, _ := json.Marshal(r)
		mu.Lock()
		defer mu.Unlock()
		replies.Write(append(b, '\n'))
	}
	var (
		child  *exec.Cmd
		ended  chan struct{} // closed when the child has ended
		remove string
	)
	end := func(patience time.Duration) {
		if child == nil {
			return
		}
		// A paused one hears nothing before it is resumed.
		if patience > 0 && terminate(child.Process) == nil && resume(child.Process) == nil {
			select {
			case <-ended:
			case <-time.After(patience):
			}
		}
		child.Process.Kill()
		<-ended
		child = nil
	}
	lines := bufio.NewScanner(orders)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o watchOrder
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			break
		}
		switch o.Do {
		case "start":
			end(0)
			remove = o.Remove
			cmd, err := launch(o)
			if err != nil {
				reply(watchReply{Event: "started", Error: err.Error()})
				continue
			}
			child, ended = cmd, make(chan struct{})
			reply(watchReply{Event: "started", Pid: cmd.Process.Pid})
			go func(ended chan struct{}) {
				cmd.Wait()
				reply(watchReply{Event: "ended", Pid: cmd.Process.Pid, Error: cmd.ProcessState.String()})
				close(ended)
			}(ended)
		case "term":
			end(termTimeout)
			reply(watchReply{Event: "done"})
		case "kill":
			end(0)
			reply(watchReply{Event: "done"})
		case "pause", "resume":
			if err := halt(child, o.Do); err != nil {
				reply(watchReply{Event: "done", Error: err.Error()})
				continue
			}
			reply(watchReply{Event: "done"})
		}
	}
	end(0)
	if remove != "" {
		os.RemoveAll(remove)
	}
}

// halt pauses or resumes the broker. One that has ended is reaped, so that no
// other process can have its pid and its signal.
func halt(child *exec.Cmd, do string) error {
	switch {
	case child == nil:
		return errors.New("none runs")
	case do == "pause":
		return pause(child.Process)
	}
	return resume(child.Process)
}

func launch(o watchOrder) (*exec.Cmd, error) {
	if len(o.Args) == 0 {
		return nil, errors.New("nothing to start")
	}
	log, err := os.OpenFile(o.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(o.Args[0], o.Args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttr()
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, watchdogEnv+"=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	return cmd, cmd.Start()
}

// A watchdog is the program's end of the pipe. One order at a time.
type watchdog struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	mu     sync.Mutex // one order at a time

	replies chan watchReply // to orders; closed when the watchdog has ended
	life    sync.Mutex
	pid     int           // of the broker; 0 while none runs
	how     string        // how the last one ended
	ended   chan struct{} // closed when the broker of pid has ended
}

func startWatchdog() (*watchdog, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to watch the broker: %w", err)
	}
	w := &watchdog{cmd: exec.Command(self), replies: make(chan watchReply, 1)}
	w.cmd.Env = append(os.Environ(), watchdogEnv+"=1")
	w.cmd.SysProcAttr = watchdogAttr()
	if w.orders, err = w.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("pipe to the watchdog: %w", err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("pipe from the watchdog: %w", err)
	}
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	go w.listen(out)
	return w, nil
}

func (w *watchdog) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var r watchReply
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue
		}
		w.life.Lock()
		switch {
		case r.Event == "started" && r.Error == "":
			w.pid, w.how, w.ended = r.Pid, "", make(chan struct{})
		case r.Event == "ended" && r.Pid == w.pid:
			w.pid, w.how = 0, r.Error
			close(w.ended)
		}
		w.life.Unlock()
		if r.Event != "ended" {
			w.replies <- r
		}
	}
	close(w.replies)
	w.cmd.Wait()
}

// do gives an order and waits until it is carried out.
func (w *watchdog) do(o watchOrder) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("order %s to the watchdog: %w", o.Do, err)
	}
	if _, err := w.orders.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("order %s to the watchdog, which has ended: %w", o.Do, err)
	}
	r, ok := <-w.replies
	switch {
	case !ok:
		return fmt.Errorf("order %s to the watchdog: it has ended", o.Do)
	case r.Error != "":
		return fmt.Errorf("%s broker: %s", o.Do, r.Error)
	}
	return nil
}

// running gives the broker's pid, and a channel that is closed when it ends.
// The pid is 0 while none runs, with the way the last one ended.
func (w *watchdog) running() (pid int, ended <-chan struct{}, how string) {
	w.life.Lock()
	defer w.life.Unlock()
	return w.pid, w.ended, w.how
}

// close ends the broker and the watchdog, and waits until the folder is gone.
func (w *watchdog) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders.Close()
	for range w.replies {
	}
}
