// Command codecbench measures what it costs to find the event time in a message,
// against libraries that decode it. It is a module of its own, so that nobody else
// depends on them.
//
// Contenders take turns in short rounds, in an order that changes, and a figure is the
// median over the rounds of a ratio within one: machines drift by more from one second
// to the next than what is measured here. Each answer is checked. Of each library the
// fastest way is taken that it documents for one field.
//
// Package figures prints the results. The exit status is 1 if an answer was wrong; a
// figure that is short of its aim is only said.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/internal/figures"
)

// A contender finds the time of a message, which is the same for all of a contest.
type contender struct {
	name string
	run  func() (ms int64, err error)
}

// A contest is about one message.
type contest struct {
	name  string
	size  int // bytes
	want  int64
	all   []contender // ours first
	judge func(r *results)
}

func main() {
	rounds := flag.Int("rounds", 21, "rounds of each contest")
	each := flag.Duration("each", 5*time.Millisecond, "time of a contender in a round")
	flag.Parse()
	fmt.Printf("%s %s/%s, %d rounds of %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, *rounds, *each)
	ok := true
	for _, c := range slices.Concat(jsonContests(), avroContests()) {
		r, err := c.measure(*rounds, *each)
		if err != nil {
			fmt.Fprintf(os.Stderr, "codecbench: %s: %v\n", c.name, err)
			ok = false
			continue
		}
		r.print()
		c.judge(r)
	}
	if !ok {
		os.Exit(1)
	}
}

// results are nanoseconds per message, by contender and round.
type results struct {
	contest *contest
	ns      map[string][]float64
	allocs  map[string]float64
}

func (c *contest) measure(rounds int, each time.Duration) (*results, error) {
	r := &results{contest: c, ns: map[string][]float64{}, allocs: map[string]float64{}}
	loops := map[string]int{}
	for _, x := range c.all {
		ms, err := x.run()
		if err != nil || ms != c.want {
			return nil, fmt.Errorf("%s says %d, not %d: %v", x.name, ms, c.want, err)
		}
		r.allocs[x.name] = testing.AllocsPerRun(100, func() { _, _ = x.run() })
		n := 1
		for took := time.Duration(0); took < each; n *= 2 {
			took = x.time(n)
		}
		loops[x.name] = n / 2
	}
	order := slices.Clone(c.all)
	for range rounds {
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, x := range order {
			n := loops[x.name]
			r.ns[x.name] = append(r.ns[x.name], float64(x.time(n).Nanoseconds())/float64(n))
		}
	}
	return r, nil
}

func (x *contender) time(n int) time.Duration {
	var sum int64
	begin := time.Now()
	for range n {
		ms, _ := x.run()
		sum += ms
	}
	took := time.Since(begin)
	runtime.KeepAlive(sum) // or the compiler may leave out all of it
	return took
}

func (r *results) print() {
	fmt.Printf("\n%s, %d bytes\n", r.contest.name, r.contest.size)
	for _, x := range r.contest.all {
		ns := figures.Median(r.ns[x.name])
		fmt.Printf("  %-14s %9.1f ns %7.2f GB/s %5.0f allocations\n", x.name, ns, float64(r.contest.size)/ns, r.allocs[x.name])
	}
}

// ours is the name of the contender that the figures are about.
const ours = "chaperone"

// over is how many times as fast as another contender ours is, round by round.
func (r *results) over(other string) (list []float64) {
	for i, ns := range r.ns[ours] {
		list = append(list, r.ns[other][i]/ns)
	}
	return list
}

// atLeast prints a figure about a ratio, atMost one about a time or a number.
func (r *results) atLeast(what, other string, aim float64) {
	figures.PrintMedian(fmt.Sprintf("%s-%s-over-%s", r.contest.name, what, other), "times as fast", r.over(other), figures.AtLeast(aim))
}

func (r *results) nanoseconds(aim float64) {
	figures.PrintMedian(r.contest.name+"-ns", "ns per message", r.ns[ours], figures.AtMost(aim))
}

func (r *results) noAllocations() {
	figures.Print(r.contest.name+"-allocations", "per message", r.allocs[ours], figures.AtMost(0))
}
