//go:build !linux

package children

import "syscall"

// childAttr is nothing here: this system cannot tie a process to its parent, so
// a child lives on if this program is killed.
func childAttr() *syscall.SysProcAttr { return nil }
