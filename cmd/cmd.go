// Package cmd is the command line of chaperone: a file per command. What they have in
// common is in root.go, settings.go (how the configuration is found) and run.go (how an
// instance runs and ends).
//
// It is a package so that a program of your own can be chaperone with codecs of your
// own. Such a program is
//
//	func main() {
//		codecs := all.Builders()
//		codecs["line"] = line.Builder
//		cmd.Main(codecs)
//	}
//
// and has all commands and the whole configuration, in which codec: line may now stand.
package cmd

import (
	"context"
	"os"
	"time"
	_ "time/tzdata" // for mutes, where the system has no time zones

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
)

// Main runs the command line of the process with codecs by their names, and exits.
func Main(builders codecs.Builders) {
	clickhouse.RunChildIfAsked() // a child that runs the embedded engine is this binary too
	p := program{env: os.Environ(), codecs: builders}
	os.Exit(p.execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// program is what commands get of what is around them.
type program struct {
	env    []string
	codecs codecs.Builders
	now    func() time.Time // nil: time.Now
}
