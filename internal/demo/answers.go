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
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/api/client"
	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/audit"
)

// said is what the three places say.
type said struct {
	truth, counted, stored, served table
	prints                         table // fingerprints: which messages, not how many
}

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
const patience = 2 * time.Minute

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

// await asks until all three say the truth and nothing else, or patience ends. The truth
// goes on for a while: messages are on their way.
func (x *answers) await(ctx context.Context, truths *truths) (agreed bool, all said, err error) {
	deadline := time.Now().Add(patience)
	for {
		all, err = x.ask(ctx, truths.table())
		agreed = err == nil && maps.Equal(all.counted, all.truth) && maps.Equal(all.stored, all.truth) && maps.Equal(all.served, all.truth) &&
			maps.Equal(all.truth, truths.table())
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
	all.truth, all.counted, all.prints = truth, table{}, table{}
	x.mu.Lock()
	for _, r := range x.newest {
		if r.Tally.Count > 0 { // else only attempts
			c := cell{r.Tier, r.Topic, r.Start}
			all.counted[c] += r.Tally.Count
			all.prints[c] += r.Tally.Fingerprint
		}
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
	const statement = `SELECT tier, topic, window_start AS window, sum(messages) AS messages FROM chaperone.windows GROUP BY tier, topic, window HAVING messages > 0
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
			Tier     string
			Topic    string
			Window   int64
			Messages uint64
		}
		if err := d.Decode(&row); err == io.EOF {
			return t, nil
		} else if err != nil {
			return nil, fmt.Errorf("ask ClickHouse: %w", err)
		}
		t[cell{row.Tier, row.Topic, row.Window}] += row.Messages
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
			if r.Count > 0 {
				t[cell{r.Tier, name, r.Start.Unix()}] += r.Count
			}
		}
	}
	return t, nil
}

// print writes a line for each topic and window, with what each tier has of it.
func (s *said) print(out io.Writer) {
	type place struct {
		topic  string
		window int64
	}
	places := map[place]bool{}
	for _, t := range []table{s.truth, s.counted, s.stored, s.served} {
		for c := range t {
			places[place{c.topic, c.window}] = true
		}
	}
	sorted := slices.SortedFunc(maps.Keys(places), func(a, b place) int { return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.window, b.window)) })
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "topic\twindow (UTC)\t%s\t\n", strings.Join(tiers, "\t"))
	wrong, cracks := 0, 0
	for _, p := range sorted {
		fmt.Fprintf(w, "%s\t%s\t", p.topic, time.Unix(p.window, 0).UTC().Format("2006-01-02 15:04"))
		var notes []string
		for i, tier := range tiers {
			c := cell{tier, p.topic, p.window}
			fmt.Fprintf(w, "%d\t", s.counted[c])
			if n := s.truth[c]; s.counted[c] != n || s.stored[c] != n || s.served[c] != n {
				wrong++
				notes = append(notes, fmt.Sprintf("%s SHOULD BE %d (audit topic %d, ClickHouse %d, REST %d)", tier, n, s.counted[c], s.stored[c], s.served[c]))
			}
			if i == 0 {
				continue
			}
			up := cell{tiers[i-1], p.topic, p.window}
			switch before, here := s.counted[up], s.counted[c]; {
			case here != before:
				cracks++
				notes = append(notes, fmt.Sprintf("%+d from %s to %s", int64(here)-int64(before), tiers[i-1], tier))
			case s.prints[up] != s.prints[c]:
				cracks++
				notes = append(notes, fmt.Sprintf("as many from %s to %s, but not the same messages", tiers[i-1], tier))
			}
		}
		fmt.Fprintf(w, "  %s\n", strings.Join(notes, "; "))
	}
	_ = w.Flush()
	fmt.Fprintf(out, "%d windows of %d tiers; %d between tiers that differ; %d that chaperone has wrong\n", len(sorted), len(tiers), cracks, wrong)
}
