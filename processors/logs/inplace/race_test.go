//go:build race

package inplace

// raced says that the race detector runs.
const raced = true
