//go:build !linux

package main

// Only Linux is asked to pin: elsewhere client and broker share all CPUs.
func cpus() []int     { return nil }
func pin([]int) error { return nil }
