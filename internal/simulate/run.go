package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
)

// A simulation is a package whose tests simulate.
type simulation struct {
	pkg      string
	mistakes []string // flags for TestMistakesAreFound
}

// A job is one process: a part of the seeds, or the mistakes.
type job struct {
	simulation
	test  string
	args  []string
	seeds int // to say how far it is
}

// plan deals out the seeds, in parts that are small enough to keep all
// processors busy to the end. Parts do not overlap: a simulation uses no more
// than its number of seeds from the first one on.
func plan(first, seeds, cpus int) (jobs []job) {
	part := min(max(200, seeds/(4*cpus)), 10_000)
	for _, s := range simulations {
		tries := max(seeds, 20_000) // a mistake that needs many is looked for in many
		args := append([]string{"-seeds", strconv.Itoa(tries)}, s.mistakes...)
		jobs = append(jobs, job{simulation: s, test: "TestMistakesAreFound", args: args})
	}
	for _, s := range simulations {
		for at := 0; at < seeds; at += part {
			n := min(part, seeds-at)
			jobs = append(jobs, job{simulation: s, test: "TestSimulation", seeds: n,
				args: []string{"-seed", strconv.Itoa(first + at), "-seeds", strconv.Itoa(n)}})
		}
	}
	return jobs
}

type runner struct {
	cpus int
	dir  string // of the built tests

	mu    sync.Mutex
	total report
	done  map[string]int
	errs  []error
}

// run runs the jobs, so many at a time, and adds up what they report.
func (r *runner) run(ctx context.Context, jobs []job) error {
	dir, err := os.MkdirTemp("", "simulate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r.dir, r.done = dir, map[string]int{}
	for _, s := range simulations {
		build := exec.CommandContext(ctx, "go", "test", "-c", "-o", r.binary(s), "./"+s.pkg)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build the tests of %s: %w", s.pkg, err)
		}
	}
	queue := make(chan job)
	var wg sync.WaitGroup
	for range r.cpus {
		wg.Go(func() {
			for j := range queue {
				r.one(ctx, j)
			}
		})
	}
	for _, j := range jobs {
		if ctx.Err() == nil {
			queue <- j
		}
	}
	close(queue)
	wg.Wait()
	return errors.Join(append(r.errs, ctx.Err())...)
}

func (r *runner) binary(s simulation) string {
	return filepath.Join(r.dir, filepath.Base(s.pkg)+".test")
}

// one runs a job. A test that fails has said why; that goes to standard error.
func (r *runner) one(ctx context.Context, j job) {
	cmd := exec.CommandContext(ctx, r.binary(j.simulation), append([]string{"-test.run", "^" + j.test + "$", "-test.v", "-test.timeout", "0"}, j.args...)...)
	cmd.Dir = j.pkg
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()

	r.mu.Lock()
	defer r.mu.Unlock()
	r.total.read(j.pkg, out.String())
	if err != nil {
		os.Stderr.Write(out.Bytes())
		r.errs = append(r.errs, fmt.Errorf("%s %s %v: %w", j.pkg, j.test, j.args, err))
	}
	if r.done[j.pkg] += j.seeds; j.seeds > 0 {
		fmt.Fprintf(os.Stderr, "%s: %d seeds\n", j.pkg, r.done[j.pkg])
	}
}
