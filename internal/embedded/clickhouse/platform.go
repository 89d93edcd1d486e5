package clickhouse

import (
	"fmt"
	"os"
	"runtime"
)

// remedy ends every error about the engine or its library that is not here.
const remedy = "give the address of a ClickHouse server instead, or keep records in memory with --store memory"

// checkPlatform says whether the engine can run here.
func checkPlatform() error {
	if !embedded {
		return fmt.Errorf("the embedded ClickHouse runs on linux/amd64 only, and this is %s/%s, or a build without it (tag noembed): %s", runtime.GOOS, runtime.GOARCH, remedy)
	}
	if _, err := os.Stat("/lib/ld-musl-x86_64.so.1"); err == nil {
		if _, err := os.Stat("/lib64/ld-linux-x86-64.so.2"); err != nil {
			return fmt.Errorf("the embedded ClickHouse needs glibc, and this system (Alpine?) has musl: %s", remedy)
		}
	}
	return nil
}
