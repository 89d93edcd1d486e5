package clickhouse

import "syscall"

// diesWithParent makes the kernel kill the child when the thread that started
// it ends: see supervise. The end of standard input is the other way, and the
// sure one: it also holds if the parent died before the kernel was told.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// thisProgram is the running program, even if its file has been replaced.
func thisProgram() (string, error) { return "/proc/self/exe", nil }
