//go:build linux

package kafkatest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// helperEnv makes this test program one that has a broker and is to be killed:
// "sleep" for a stand-in, "apache" for the real one.
const helperEnv = "KAFKATEST_TEST_HELPER"

// A helped tells the test what the helper has started.
type helped struct {
	Broker, Watchdog int // pids
	Dir              string
}

func TestMain(m *testing.M) {
	if kind := os.Getenv(helperEnv); kind != "" {
		if err := help(kind); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func help(kind string) error {
	var dog *watchdog
	var dir string
	if kind == "apache" {
		q, err := newQuorum(context.Background(), Options{})
		if err != nil {
			return err
		}
		dog, dir = q.nodes[0].dog, q.nodes[0].dir
	} else {
		var err error
		if dir, err = os.MkdirTemp("", "kafkatest-helper-"); err != nil {
			return err
		}
		if dog, err = startWatchdog(); err != nil {
			return err
		}
		order := watchOrder{Do: "start", Args: []string{"sleep", "600"}, Log: filepath.Join(dir, "log"), Remove: dir}
		if err := dog.do(order); err != nil {
			return err
		}
	}
	pid, _, _ := dog.running()
	if err := json.NewEncoder(os.Stdout).Encode(helped{pid, dog.cmd.Process.Pid, dir}); err != nil {
		return err
	}
	select {}
}

// startHelper starts this program as a helper and reads what it has started.
func startHelper(t *testing.T, kind string) (*exec.Cmd, helped) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperEnv+"="+kind)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var h helped
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &h)
	}
	if err != nil {
		t.Fatalf("read what the helper has started: %v", err)
	}
	for what, pid := range map[string]int{"broker": h.Broker, "watchdog": h.Watchdog} {
		if gone(pid) {
			t.Fatalf("the %s (pid %d) does not run", what, pid)
		}
	}
	return cmd, h
}

// gone is true of a zombie too: whoever inherited it may be slow to notice.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestNothingOutlivesAKilledProgram(t *testing.T) {
	for _, kind := range []string{"sleep", "apache"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "apache" {
				skipShort(t)
			}
			cmd, h := startHelper(t, kind)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			waitFor(t, "broker is gone", func() bool { return gone(h.Broker) })
			waitFor(t, "watchdog is gone", func() bool { return gone(h.Watchdog) })
			if _, err := os.Stat(h.Dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("folder %s is left behind (%v)", h.Dir, err)
			}
		})
	}
}

func TestBrokerDiesWithItsWatchdog(t *testing.T) {
	_, h := startHelper(t, "sleep")
	defer os.RemoveAll(h.Dir)
	if err := syscall.Kill(h.Watchdog, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "broker is gone", func() bool { return gone(h.Broker) })
}

func TestWatchdogTellsWhatBecomesOfTheBroker(t *testing.T) {
	dog, err := startWatchdog()
	if err != nil {
		t.Fatal(err)
	}
	defer dog.close()
	log := filepath.Join(t.TempDir(), "log")
	if err := dog.do(watchOrder{Do: "start", Args: []string{"/nonexistent"}, Log: log}); err == nil {
		t.Error("a program that does not exist was started")
	}
	if err := dog.do(watchOrder{Do: "start", Args: []string{"sh", "-c", "echo to the log; exit 3"}, Log: log}); err != nil {
		t.Fatal(err)
	}
	_, ended, _ := dog.running()
	<-ended
	if pid, _, how := dog.running(); pid != 0 || how != "exit status 3" {
		t.Errorf("pid %d, ended with %q; want exit status 3", pid, how)
	}
	if b, err := os.ReadFile(log); err != nil || string(b) != "to the log\n" {
		t.Errorf("log is %q (%v)", b, err)
	}
	for do, want := range map[string]string{"term": "signal: terminated", "kill": "signal: killed"} {
		if err := dog.do(watchOrder{Do: "start", Args: []string{"sleep", "600"}, Log: log}); err != nil {
			t.Fatal(err)
		}
		_, ended, _ := dog.running()
		if err := dog.do(watchOrder{Do: do}); err != nil {
			t.Fatal(err)
		}
		<-ended
		if pid, _, how := dog.running(); pid != 0 || how != want {
			t.Errorf("after %s: pid %d, ended with %q, want %q", do, pid, how, want)
		}
		if err := dog.do(watchOrder{Do: do}); err != nil {
			t.Errorf("%s when nothing runs: %v", do, err)
		}
	}
}
