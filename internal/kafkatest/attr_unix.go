//go:build unix && !linux

package kafkatest

import (
	"os"
	"os/signal"
	"syscall"
)

// watchdogAttr puts the watchdog, and so the broker, into a process group of
// its own: Ctrl-C in a terminal is for the program, which then stops the broker.
func watchdogAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// childAttr is nothing here: this system cannot tie a process to its parent, so
// a broker whose watchdog is killed lives on.
func childAttr() *syscall.SysProcAttr { return nil }

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
func pause(p *os.Process) error     { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error    { return p.Signal(syscall.SIGCONT) }

func ignoreSignals() { signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT) }
