package main

import (
	"context"
	"flag"
	"fmt"
)

func main() {
	var o judging
	o.flags()
	flag.Parse()
	fmt.Println(o.measure(context.Background()))
}
