//go:build !unix

package clickhouse

import (
	"errors"
	"os"
)

var errLocked = errors.New("locked by another process")

// checkPlatform refuses this system before either is called.
func tryLock(*os.File) error           { return nil }
func freeSpace(string) (uint64, error) { return 0, errors.ErrUnsupported }
