//go:build race

package scenario

// raced says that the race detector is on: what is played takes ten times as long, so
// less of it is.
const raced = true
