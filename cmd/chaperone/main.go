// Command chaperone is the completeness audit for Kafka: all of it in one binary,
// a file per subcommand. What they have in common is in root.go, settings.go
// (how the configuration is found) and run.go (how an instance runs and ends).
package main

import (
	"context"
	"os"

	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
)

func main() {
	clickhouse.RunChildIfAsked() // a child that runs the embedded engine is this binary too
	os.Exit(execute(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
