// Command chaperone is the completeness audit for Kafka, all of it in one binary.
// Package cmd has its commands.
package main

import (
	"github.com/chaperone-audit/chaperone/cmd"
	"github.com/chaperone-audit/chaperone/codecs/all"
)

func main() { cmd.Main(all.Builders()) }
