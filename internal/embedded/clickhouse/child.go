package clickhouse

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// childEnv, in the environment, makes a process an engine process. Its value is
// a childConfig in JSON.
const childEnv = "CHAPERONE_CLICKHOUSE_CHILD"

// A childConfig is what the parent tells the child. The listening socket is
// file descriptor 3, so the port stays taken while a child is replaced.
type childConfig struct {
	Dir       string
	Library   string
	MaxMemory int64 // bytes
}

// healthPath, asked of the child, answers whether a statement runs; it does not
// wait for a turn behind other statements.
const healthPath = "/chaperone/health"

// What a child says on standard output, in one line: ready, or failed and why.
const (
	childReady  = "READY"
	childFailed = "FAILED "
)

// RunChildIfAsked turns this process into an engine process if its parent
// started it as one; then it does not return. Call it first in main, and first
// in the TestMain of packages whose tests call Start.
func RunChildIfAsked() {
	asked := os.Getenv(childEnv)
	if asked == "" {
		return
	}
	_ = os.Unsetenv(childEnv)
	// The parent decides when the engine ends. An interrupt at the terminal
	// reaches the child too, but the parent still has rows to write.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	var c childConfig
	err := json.Unmarshal([]byte(asked), &c)
	if err == nil {
		err = runChild(c)
	}
	if err != nil {
		fmt.Println(childFailed + err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}
