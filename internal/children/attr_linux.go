package children

import "syscall"

// childAttr has the kernel kill a child when this program dies, and keeps Ctrl-C
// in a terminal from it: this program ends its children in its own order.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
