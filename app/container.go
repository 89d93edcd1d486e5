package app

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// containerMemory is the lowest memory limit of the control groups that this
// process is in, as Linux has them below root; 0 where there is none.
func containerMemory(root string) (limit int64) {
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0
	}
	lower := func(file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			return
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		// Version 1 has no word for "none", but a number near the greatest.
		if err == nil && n > 0 && n < 1<<60 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) < 3 {
			continue
		}
		base, name := "sys/fs/cgroup", "memory.max"
		switch {
		case f[1] == "": // version 2
		case strings.Contains(","+f[1]+",", ",memory,"):
			base, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// A limit of any group above holds too. Inside a container the path may be
		// that of outside, and what is mounted the container's own: so the top as well.
		for path := filepath.Clean("/" + f[2]); ; path = filepath.Dir(path) {
			lower(filepath.Join(root, base, path, name))
			if path == "/" {
				break
			}
		}
	}
	return limit
}
