package main

import "syscall"

// childAttr has the kernel kill a child when this program dies.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
