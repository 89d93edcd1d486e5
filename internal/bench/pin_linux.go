package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// cpus lists those that this process may run on.
func cpus() (list []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			list = append(list, i)
		}
	}
	return list
}

// pin lets this process, and what it starts from now on, run on some CPUs only.
// None leaves all as it is.
func pin(list []int) error {
	if len(list) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, i := range list {
		set.Set(i)
	}
	// Affinity belongs to threads; a new thread has that of the one that made it.
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("pin to CPU %v: %w", list, err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("pin to CPU %v: %w", list, err)
		}
	}
	return nil
}
