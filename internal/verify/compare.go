package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/internal/produce"
)

// A cell is what is compared: one window of one partition.
type cell struct {
	tier, cluster, topic string
	partition            int32
	start, size          int64 // of the window, Unix seconds and seconds
}

func (c cell) String() string {
	return fmt.Sprintf("%s/%s %s/%d %s", c.tier, c.cluster, c.topic, c.partition, time.Unix(c.start, 0).UTC().Format("01-02T15:04Z"))
}

func compareCells(a, b cell) int {
	return cmp.Or(strings.Compare(a.tier, b.tier), strings.Compare(a.cluster, b.cluster), strings.Compare(a.topic, b.topic),
		cmp.Compare(a.start, b.start), cmp.Compare(a.partition, b.partition), cmp.Compare(a.size, b.size))
}

type cells map[cell]produce.Counts

func (cs cells) messages() (n uint64) {
	for _, c := range cs {
		n += c.Count
	}
	return n
}

// span is the time that its windows take up, Unix seconds.
func (cs cells) span() (from, to int64) {
	for c := range cs {
		if from == 0 || c.start < from {
			from = c.start
		}
		to = max(to, c.start+c.size)
	}
	return from, to
}

// add puts what a recount found on one cluster among the cells. A key is in one
// recount only.
func (cs cells) add(tier, cluster string, found map[produce.Key]produce.Counts) {
	for k, c := range found {
		cs[cell{tier, cluster, k.Topic, k.Partition, k.Window.Start, k.Window.Size}] = c
	}
}

// answers are where a deployment is asked.
type answers struct {
	clickhouse string // http://host:port
	rest       string // likewise
}

// sql asks for every window of every topic, in plain SQL as an analyst would.
func (a answers) sql(ctx context.Context) (cells, error) {
	text, err := get(ctx, a.clickhouse+"/?query="+url.QueryEscape(`
		SELECT tier, cluster, topic, partition, window_start, window_size,
			sum(messages), sum(bytes), sum(no_time), sum(malformed), sum(out_of_bounds)
		FROM chaperone.audit
		GROUP BY tier, cluster, topic, partition, window_start, window_size
		FORMAT TabSeparated`))
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	got, err := parseRows(string(text))
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	return got, nil
}

// parseRows reads what sql asks for.
func parseRows(text string) (cells, error) {
	got := cells{}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 11 {
			return nil, fmt.Errorf("line %q has %d columns instead of 11", line, len(f))
		}
		partition, err := strconv.ParseInt(f[3], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		var n [11]int64
		for i := 4; i < len(f); i++ {
			if n[i], err = strconv.ParseInt(f[i], 10, 64); err != nil {
				return nil, fmt.Errorf("line %q: %w", line, err)
			}
		}
		got[cell{f[0], f[1], f[2], int32(partition), n[4], n[5]}] = produce.Counts{
			Count: uint64(n[6]), Bytes: uint64(n[7]), NoTime: uint64(n[8]), Malformed: uint64(n[9]), OutOfBounds: uint64(n[10])}
	}
	return got, nil
}

// views asks REST for the windows of all topics that it lists in a span of time.
func (a answers) views(ctx context.Context, from, to int64) (cells, error) {
	var list v1.Topics
	span := fmt.Sprintf("from=%d&to=%d", from, to)
	if err := a.restGet(ctx, "/api/v1/topics?"+span, &list); err != nil {
		return nil, err
	}
	got := cells{}
	for _, t := range list.Topics {
		var windows v1.Windows
		if err := a.restGet(ctx, "/api/v1/topics/"+url.PathEscape(t.Name)+"/windows?"+span+"&by=partition", &windows); err != nil {
			return nil, err
		}
		for _, r := range windows.Rows {
			c := cell{r.Tier, r.Cluster, t.Name, -1, r.Start.Unix(), r.End.Unix() - r.Start.Unix()}
			if r.Partition != nil {
				c.partition = *r.Partition
			}
			if _, twice := got[c]; twice {
				return nil, fmt.Errorf("ask REST: %s is there twice", c)
			}
			got[c] = produce.Counts{Count: r.Count, Bytes: r.Bytes, NoTime: r.NoTime, Malformed: r.Malformed, OutOfBounds: r.OutOfBounds}
		}
	}
	return got, nil
}

func (a answers) restGet(ctx context.Context, path string, into any) error {
	text, err := get(ctx, a.rest+path)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("ask REST: %s: %w", path, err)
	}
	return nil
}

func get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, text[:min(len(text), 500)])
	}
	return text, err
}

// A comparison is one look at everything.
type comparison struct {
	want, sql, rest cells
	wrong           []cell // where sql or rest differs from want, in order
	checked         int    // cells that any of them has
}

func compare(want, sql, rest cells) *comparison {
	c := &comparison{want: want, sql: sql, rest: rest}
	all := map[cell]bool{}
	for _, cs := range []cells{want, sql, rest} {
		for k := range cs {
			all[k] = true
		}
	}
	for k := range all {
		// A cell that is not there counts nothing.
		if want[k] != sql[k] || want[k] != rest[k] {
			c.wrong = append(c.wrong, k)
		}
	}
	slices.SortFunc(c.wrong, compareCells)
	c.checked = len(all)
	return c
}

// show prints the first differences.
func (c *comparison) show(w io.Writer) {
	for i, k := range c.wrong {
		if i == 20 {
			fmt.Fprintf(w, "... and %d more\n", len(c.wrong)-i)
			return
		}
		fmt.Fprintf(w, "wrong: %s\n  recount     %s\n  ClickHouse  %s\n  REST        %s\n", k, text(c.want[k]), text(c.sql[k]), text(c.rest[k]))
	}
}

func text(c produce.Counts) string {
	return fmt.Sprintf("%d messages, %d bytes, %d without time, %d malformed, %d out of bounds", c.Count, c.Bytes, c.NoTime, c.Malformed, c.OutOfBounds)
}

// Pauses of agree.
const (
	poll = time.Second
	// hold is how long an agreement has to last: some flushes and batches of the
	// sink, so that what is counted twice would show.
	hold = 8 * time.Second
	// stalled is how long nothing may change before it is given up.
	stalled = time.Minute
)

// agree asks until both answers are what the recount says and stay so, until
// they have not changed for long, or until ctx ends. The last comparison is the
// result; nil, and the error why, if there was none.
func (a answers) agree(ctx context.Context, want cells) (*comparison, error) {
	var last *comparison
	var agreed, said time.Time
	changed := time.Now()
	for {
		c, err := a.look(ctx, want)
		now := time.Now()
		switch {
		case err != nil:
			agreed = time.Time{}
		case len(c.wrong) > 0:
			agreed = time.Time{}
			if last == nil || !maps.Equal(c.sql, last.sql) || !maps.Equal(c.rest, last.rest) {
				changed = now
			}
		case agreed.IsZero():
			say("all %d cells agree; looking whether it stays so for %s", c.checked, hold)
			agreed = now
		case now.Sub(agreed) >= hold:
			return c, nil
		}
		if c != nil {
			last = c
		}
		if agreed.IsZero() && now.Sub(said) > 5*time.Second {
			said = now
			if err != nil {
				say("%v", err)
			} else {
				say("%d messages in the log, %d in ClickHouse, %d by REST; %d of %d cells differ",
					want.messages(), c.sql.messages(), c.rest.messages(), len(c.wrong), c.checked)
			}
		}
		if now.Sub(changed) > stalled && agreed.IsZero() {
			say("nothing has changed for %s: giving up", stalled)
			return last, err
		}
		select {
		case <-ctx.Done():
			return last, errors.Join(context.Cause(ctx), err)
		case <-time.After(poll):
		}
	}
}

func (a answers) look(ctx context.Context, want cells) (*comparison, error) {
	sql, err := a.sql(ctx)
	if err != nil {
		return nil, err
	}
	// A day more on both sides: what is in a window where nothing belongs is wrong too.
	from, to := want.span()
	rest, err := a.views(ctx, from-24*3600, to+24*3600)
	if err != nil {
		return nil, err
	}
	return compare(want, sql, rest), nil
}
