//go:build !linux

package clickhouse

import (
	"os"
	"syscall"
)

func diesWithParent() *syscall.SysProcAttr { return nil }

func thisProgram() (string, error) { return os.Executable() }
