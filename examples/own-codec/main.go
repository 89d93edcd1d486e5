// Command own-codec is chaperone with a codec of its own: all commands, all of the
// configuration, and in its section codecs one more name. Begin a program of yours as
// a copy of this folder.
//
//	go run . codec list
//	printf '4711|1795285199000|sold\n' | go run . codec try --file - --codec line --setting column=1
package main

import (
	"github.com/chaperone-audit/chaperone/cmd"
	"github.com/chaperone-audit/chaperone/codecs/all"
)

func main() {
	builders := all.Builders()
	builders["line"] = lineBuilder
	cmd.Main(builders)
}
