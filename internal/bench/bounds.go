package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/chaperone-audit/chaperone/internal/figures"
)

// segmentWindows is how many windows a segment holds by default: with so many in
// each source the rows are as many as they can be.
const segmentWindows = 64

// bounds measures what an instance takes when there is much of everything, and what
// keeps it bounded. The processes that count are the real program.
func (r *runner) bounds(ctx context.Context) (err error) {
	if r.dir, err = os.MkdirTemp("", "chaperone-bench-"); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			os.RemoveAll(r.dir)
		} else {
			fmt.Fprintln(os.Stderr, "bench: logs are in", r.dir)
		}
	}()
	if r.binary, err = build(ctx, r.dir); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"rows", r.rows}, {"scatter", r.scatter}, {"catch-up", r.catchUp}} {
		if r.o.only != "bounds" && r.o.only != part.name {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// rows measures what parts hold of sources whose segments are full, each in a
// process of its own, and says what more of them would take.
func (r *runner) rows(ctx context.Context) error {
	for _, part := range []struct {
		name  string
		sizes [2]int
		row   figures.Aim // for a row, in bytes
	}{{"count", [2]int{2000, 10_000}, figures.AtMost(600)}, {"collect", [2]int{500, 2000}, figures.Aim{}}, {"serve", [2]int{500, 2000}, figures.Aim{}}} {
		var each [2]float64
		for i, n := range part.sizes {
			res, err := r.child(ctx, pass{kind: "rows", topics: part.name, messages: uint64(n)}, nil)
			if err != nil {
				return err
			}
			each[i] = float64(res.Live) / float64(n*segmentWindows)
			fmt.Printf("%s: %d sources with %d rows each of %d messages: %.0f bytes of heap a row; %d MB resident\n",
				part.name, n, segmentWindows, rowMessages, each[i], res.Resident/1e6)
		}
		figures.Print(part.name+"-row-bytes", fmt.Sprintf("bytes of heap, with a row's part of its source; %d sources", part.sizes[1]), each[1], part.row)
		figures.Print(part.name+"-row-bytes-linear", fmt.Sprintf("of %d sources against %d", part.sizes[1], part.sizes[0]), each[1]/each[0], figures.AtMost(1.1))
		if part.name == "count" {
			note := fmt.Sprintf("GB of heap, EXTRAPOLATED from %d sources: %d sources with %d rows each", part.sizes[1], 100_000, segmentWindows)
			figures.Print("count-rows-of-100000-sources-extrapolated", note, each[1]*segmentWindows*100_000/1e9, figures.Aim{})
		}
	}
	return nil
}

// catchUp has an instance with a memory limit catch up, then leaves as many rows of
// it and of a second one in the table, and has a third take over from them.
func (r *runner) catchUp(ctx context.Context) error {
	const partitions = 4
	sources := r.o.topics * partitions
	order := fillOrder{Partitions: partitions, Messages: r.o.catchUp / r.o.topics, Size: small, Windows: segmentWindows, Base: baseOf(segmentWindows)}
	for i := range r.o.topics {
		order.Topics = append(order.Topics, fillTopic{fmt.Sprintf("bounds-%04d", i), "none"})
	}
	fmt.Printf("filling %d topics with %d messages\n", r.o.topics, order.Messages*r.o.topics)
	want, err := r.fill(ctx, order)
	if err != nil {
		return err
	}
	own := "chaperone-bounds"
	begin := time.Now()
	p, err := r.counting(own, "bounds-.*", "memory.limit="+r.o.limit, "count.rows_per_second=1000000")
	if err != nil {
		return err
	}
	defer p.kill()
	expected := want.ofAll(order.Topics)
	if err := r.check(ctx, own, expected); err != nil {
		return fmt.Errorf("%w; the end of the log:\n%s", err, p.tail())
	}
	took := time.Since(begin)
	if err := r.sayMemory(ctx, p, fmt.Sprintf("catch-up-%d-sources", sources), fmt.Sprintf("%d messages, %d rows agree after %s", order.Messages*r.o.topics, len(expected), took.Round(100*time.Millisecond))); err != nil {
		return err
	}
	if err := p.stop(); err != nil {
		return err
	}

	// A session writes the rows that it counts into under keys of its own. A message
	// in each window doubles what the table holds.
	order.Messages, order.Spread = partitions*segmentWindows, true
	more, err := r.fill(ctx, order)
	if err != nil {
		return err
	}
	for c, v := range more.ofAll(order.Topics) {
		expected.add(c, v.Count, v.Bytes)
	}
	if p, err = r.counting(own, "bounds-.*", "memory.limit="+r.o.limit, "count.rows_per_second=1000000"); err != nil {
		return err
	}
	defer p.kill()
	if err := r.check(ctx, own, expected); err != nil {
		return fmt.Errorf("the second instance: %w", err)
	}
	if err := p.stop(); err != nil {
		return err
	}
	return r.recovery(ctx, own, expected)
}

// recovery times how long an instance that takes over does not read.
func (r *runner) recovery(ctx context.Context, own string, expected truth) error {
	var spans, costs []float64
	entries := 0.0
	for range 3 {
		p, err := r.counting(own, "bounds-.*", "memory.limit="+r.o.limit)
		if err != nil {
			return err
		}
		defer p.kill()
		open, err := p.said(ctx, "all sources are being read")
		if err != nil {
			return err
		}
		cpu, err := p.cpu()
		if err != nil {
			return err
		}
		recovered, err := p.said(ctx, "session begins")
		if err != nil {
			return err
		}
		entries, _ = open["table_entries"].(float64)
		span, _ := open["since_session_began"].(float64)
		table, _ := recovered["recovered_in"].(float64)
		spans, costs = append(spans, span/1e9), append(costs, cpu.Seconds())
		_, peak, err := p.memory()
		if err != nil {
			return err
		}
		fmt.Printf("took over %.0f entries in %.2f s, of these %.2f s for the table; %.2f s of CPU since the process began; peak %d MiB\n",
			entries, span/1e9, table/1e9, cpu.Seconds(), peak>>20)
		p.kill() // a kill leaves the table as it is, but for what the first flush has written
	}
	if err := r.check(ctx, own, expected); err != nil {
		return fmt.Errorf("after taking over: %w", err)
	}
	figures.Print(fmt.Sprintf("takeover-cpu-%.0fk-entries", entries/1000), fmt.Sprintf("s of CPU, from the process's beginning on; median of %.2f", costs), figures.Median(costs), figures.Aim{})
	figures.Print(fmt.Sprintf("takeover-%.0fk-entries", entries/1000), fmt.Sprintf("s from the session's beginning until all sources are read; median of %.2f", spans), figures.Median(spans), figures.AtMost(3))
	return nil
}

// scatter counts a source in which no two messages have the same window, and one of
// as many messages in few windows.
func (r *runner) scatter(ctx context.Context) error {
	peaks := map[string]int64{}
	for _, kind := range []string{"calm", "wild"} {
		topic := "scatter-" + kind
		o := scatterOrder{Topic: topic, Messages: int64(r.o.distinct), Windows: windows}
		if kind == "wild" {
			o.Windows = o.Messages
		}
		fmt.Printf("filling %s with %d messages in %d windows\n", topic, o.Messages, o.Windows)
		want, err := r.fillScattered(ctx, o)
		if err != nil {
			return err
		}
		own := "chaperone-" + topic
		begin := time.Now()
		p, err := r.counting(own, topic, "memory.limit="+r.o.limit)
		if err != nil {
			return err
		}
		defer p.kill()
		segments, err := r.checkScattered(ctx, own, want)
		if err != nil {
			return fmt.Errorf("%w; the end of the log:\n%s", err, p.tail())
		}
		took := time.Since(begin)
		if _, peaks[kind], err = p.memory(); err != nil {
			return err
		}
		if err := r.sayMemory(ctx, p, topic, fmt.Sprintf("%d messages, %d windows agree after %s", o.Messages, o.Windows, took.Round(100*time.Millisecond))); err != nil {
			return err
		}
		if err := p.stop(); err != nil {
			return err
		}
		left, err := r.tableEntries(ctx, own)
		if err != nil {
			return err
		}
		figures.Print(topic+"-segments", "begun", float64(segments), figures.Aim{})
		figures.Print(topic+"-table-entries", "left when the instance has ended: the open segment and a ledger", float64(left), figures.AtMost(segmentWindows+1))
	}
	figures.Print("scatter-resident-ratio", "peak of the wild source against the calm one", float64(peaks["wild"])/float64(peaks["calm"]), figures.AtMost(1.25))
	return nil
}

// sayMemory prints the peak of a process that has a limit, and how often sources
// were paused to keep it.
func (r *runner) sayMemory(ctx context.Context, p *process, name, note string) error {
	resident, peak, err := p.memory()
	if err != nil {
		return err
	}
	limit, err := p.metric(ctx, "chaperone_memory_limit_bytes")
	if err != nil {
		return err
	}
	pauses, err := p.metric(ctx, "chaperone_count_pauses_total")
	if err != nil {
		return err
	}
	note = fmt.Sprintf("MiB at most, of a limit of %s; now %d; %s; %.0f pauses", r.o.limit, resident>>20, note, pauses)
	figures.Print("resident-peak-"+name, note, float64(peak)/(1<<20), figures.AtMost(limit/(1<<20)))
	return nil
}
