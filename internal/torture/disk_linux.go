package torture

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// smallDisk makes a folder a disk of its own, in memory. It takes root.
func smallDisk(dir string, size int64) (release func(), err error) {
	if err := unix.Mount("torture", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		return nil, fmt.Errorf("mount a small disk at %s: %w", dir, err)
	}
	return func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }, nil
}

// free is how many bytes are left on the disk of a folder, 0 if that is not known.
func free(dir string) int64 {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return 0
	}
	return int64(s.Bavail) * s.Bsize
}
