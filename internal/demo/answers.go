package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/api/client"
	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/audit"
)

// A cell is a topic and window; a table has the messages of each.
type cell struct {
	topic  string
	window int64 // start, Unix seconds
}

type table map[cell]uint64

func (t table) add(c cell, n uint64) { t[c] += n }

// said is what the three places say.
type said struct{ counted, stored, served table }

// answers asks the three places.
type answers struct {
	address string // of the engine
	rest    *client.Client
	reader  *kgo.Client
	done    chan struct{}

	mu     sync.Mutex
	newest map[string]*audit.Record
}

// patience is how long the last messages may take to arrive everywhere.
const patience = time.Minute

func newAnswers(ctx context.Context, a *app.App) (*answers, error) {
	rest, err := client.New("http://"+a.Addr(), nil)
	if err != nil {
		return nil, err
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(a.Brokers()...), kgo.ConsumeTopics(string(a.Topology().AuditTopic())))
	if err != nil {
		return nil, fmt.Errorf("read the audit topic: %w", err)
	}
	x := &answers{address: a.ClickHouse(), rest: rest, reader: reader, done: make(chan struct{}), newest: map[string]*audit.Record{}}
	go x.follow(ctx)
	return x, nil
}

func (x *answers) close() {
	x.reader.Close()
	<-x.done
}

// follow keeps the newest version of every identity on the audit topic, as
// anybody who reads that topic has to.
func (x *answers) follow(ctx context.Context) {
	defer close(x.done)
	for {
		fetches := x.reader.PollFetches(ctx)
		if fetches.IsClientClosed() || ctx.Err() != nil {
			return
		}
		fetches.EachRecord(func(r *kgo.Record) {
			rec, err := audit.Decode(r.Value)
			if err != nil || rec.Kind != audit.KindWindow {
				return
			}
			x.mu.Lock()
			defer x.mu.Unlock()
			id := rec.IdentityKey()
			if old := x.newest[id]; old == nil || old.Version < rec.Version {
				x.newest[id] = rec
			}
		})
	}
}

// await asks until all three say the truth and nothing else, or patience ends.
func (x *answers) await(ctx context.Context, truth table) (agreed bool, all said, err error) {
	deadline := time.Now().Add(patience)
	for {
		all, err = x.ask(ctx, truth)
		agreed = err == nil && maps.Equal(all.counted, truth) && maps.Equal(all.stored, truth) && maps.Equal(all.served, truth)
		if agreed || time.Now().After(deadline) {
			return agreed, all, err
		}
		select {
		case <-ctx.Done():
			return false, all, nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (x *answers) ask(ctx context.Context, truth table) (all said, err error) {
	all.counted = table{}
	x.mu.Lock()
	for _, r := range x.newest {
		all.counted.add(cell{r.Topic, r.Start}, r.Tally.Count)
	}
	x.mu.Unlock()
	if all.stored, err = x.sql(ctx); err != nil {
		return all, err
	}
	all.served, err = x.windows(ctx, truth)
	return all, err
}

// sql asks the engine as any HTTP client can.
func (x *answers) sql(ctx context.Context) (table, error) {
	const statement = `SELECT topic, window_start AS window, sum(messages) AS messages FROM chaperone.windows GROUP BY topic, window
		FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0`
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+x.address+"/?query="+url.QueryEscape(statement), nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("ask ClickHouse: %s: %s", resp.Status, text)
	}
	t := table{}
	for d := json.NewDecoder(resp.Body); ; {
		var row struct {
			Topic    string
			Window   int64
			Messages uint64
		}
		if err := d.Decode(&row); err == io.EOF {
			return t, nil
		} else if err != nil {
			return nil, fmt.Errorf("ask ClickHouse: %w", err)
		}
		t.add(cell{row.Topic, row.Window}, row.Messages)
	}
}

// windows asks REST, topic by topic.
func (x *answers) windows(ctx context.Context, truth table) (table, error) {
	t := table{}
	names := map[string]bool{}
	first, last := time.Now(), time.Time{}
	for c := range truth {
		names[c.topic] = true
		if at := time.Unix(c.window, 0); at.Before(first) {
			first = at
		}
		if at := time.Unix(c.window, 0); at.After(last) {
			last = at
		}
	}
	for name := range names {
		w, err := x.rest.Windows(ctx, name, client.Query{Span: client.Span{From: first, To: last.Add(time.Second)}})
		if err != nil {
			return nil, fmt.Errorf("ask REST: %w", err)
		}
		for _, r := range w.Rows {
			t.add(cell{name, r.Start.Unix()}, r.Count)
		}
	}
	return t, nil
}

// print writes a line for each topic and window.
func (s *said) print(out io.Writer, truth table) {
	cells := map[cell]bool{}
	for _, t := range []table{truth, s.counted, s.stored, s.served} {
		for c := range t {
			cells[c] = true
		}
	}
	sorted := slices.SortedFunc(maps.Keys(cells), func(a, b cell) int { return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.window, b.window)) })
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "topic\twindow (UTC)\tproduced\tcounted\tin ClickHouse\tby REST\t\t")
	wrong := 0
	for _, c := range sorted {
		verdict := "agree"
		if n := truth[c]; s.counted[c] != n || s.stored[c] != n || s.served[c] != n {
			verdict = "DIFFER"
			wrong++
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%s\t\n", c.topic, time.Unix(c.window, 0).UTC().Format("2006-01-02 15:04"),
			truth[c], s.counted[c], s.stored[c], s.served[c], verdict)
	}
	_ = w.Flush()
	fmt.Fprintf(out, "%d windows, %d differ\n\n", len(sorted), wrong)
}
