package torture

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/api/client"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/views"
)

// counts are what one reader says.
type counts map[cell]*count

func (c counts) at(k cell) *count {
	n := c[k]
	if n == nil {
		n = newCount()
		c[k] = n
	}
	return n
}

// A reader is a place where counts can be asked for.
type reader struct {
	name string
	ask  func(ctx context.Context) (counts, error)
	// less says that it has no bins of latencies.
	less bool
}

func (w *world) readers(view *views.Sources) []reader {
	return []reader{
		{name: "table", ask: w.askTable},
		{name: "view", ask: func(ctx context.Context) (counts, error) { return w.askView(ctx, view) }},
		{name: "ClickHouse", ask: w.askClickHouse},
		{name: "REST", ask: w.askREST, less: true},
	}
}

// askTable reads the collect table as it stands on its topic: the highest
// version of each identity over all owners.
func (w *world) askTable(ctx context.Context) (counts, error) {
	entries := map[string][]byte{}
	if err := w.readTopic(ctx, string(w.topology.CollectTable()), func(r *kgo.Record) {
		if r.Value == nil {
			delete(entries, string(r.Key))
		} else {
			entries[string(r.Key)] = r.Value
		}
	}); err != nil {
		return nil, err
	}
	newest := map[string]table.Row{}
	for key, value := range entries {
		if table.Judged(key) {
			continue
		}
		identity, _, err := table.Cut(key)
		if err != nil {
			return nil, err
		}
		row, err := table.Parse(value)
		if err != nil {
			return nil, err
		}
		if old, ok := newest[identity]; !ok || row.Version > old.Version {
			newest[identity] = row
		}
	}
	got := counts{}
	for identity, row := range newest {
		r, err := audit.Decode(row.JSON)
		if err != nil {
			return nil, fmt.Errorf("table entry %s: %w", identity, err)
		}
		if r.Kind == audit.KindWindow {
			got.at(cellOf(r.Source(), r.Start)).merge(&r.Tally.Tally, r.Tally.First, r.Tally.Last)
		}
	}
	return got, nil
}

// span of windows that may have been counted, in Unix seconds.
func (w *world) span() (from, to int64) {
	from, to = time.Now().Unix(), time.Now().Unix()
	for _, src := range w.truth.list() {
		for _, m := range w.truth.log(src) {
			from, to = min(from, m.window), max(to, m.window+1)
		}
	}
	return from - 3600, to + 3600
}

func (w *world) askView(ctx context.Context, view *views.Sources) (counts, error) {
	if !view.Ready() {
		return nil, errors.New("the view is not ready")
	}
	from, to := w.span()
	got := counts{}
	for _, name := range w.topicNames() {
		rows, err := view.Windows(ctx, query.Windows{Topic: name, From: from, To: to, By: []query.Dimension{query.ByPartition}})
		if err != nil {
			return nil, err
		}
		for i := range rows {
			r := &rows[i]
			got.at(cell{r.Cluster, name, *r.Partition, r.Start}).merge(&r.Tally, r.First, r.Last)
		}
	}
	return got, nil
}

// topicNames are those of all audited topics, each once.
func (w *world) topicNames() (names []string) {
	seen := map[string]bool{}
	for _, t := range w.traffic.list() {
		if !seen[t.name] {
			seen[t.name] = true
			names = append(names, t.name)
		}
	}
	return names
}

// askClickHouse asks in plain SQL for the newest record of each source.
func (w *world) askClickHouse(ctx context.Context) (counts, error) {
	text, err := httpGet(ctx, fmt.Sprintf("http://%s/?query=%s", w.engine.addr, url.QueryEscape(fmt.Sprintf(`
		SELECT cluster, topic, partition, window_start, messages, bytes, no_time, malformed, out_of_bounds,
			latency_bins, latency_sum, latency_max, negative_latencies, negative_latency_max, fingerprint, power_sums, moment_sums, first_offset, last_offset
		FROM %s.audit FORMAT JSONCompactEachRow SETTINGS output_format_json_quote_64bit_integers = 0`, w.database()))))
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	got := counts{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c cell
		var n count
		bins, sums, moments := map[string]uint64{}, []uint64{}, []uint64{}
		t := &n.Tally
		columns := []any{&c.cluster, &c.topic, &c.partition, &c.window, &t.Count, &t.Bytes, &t.NoTime, &t.Malformed, &t.OutOfBounds,
			&bins, &t.Latency.Sum, &t.Latency.Max, &t.Latency.Negative, &t.Latency.NegativeMax, &t.Fingerprint, &sums, &moments, &n.First, &n.Last}
		if err := json.Unmarshal(lines.Bytes(), &columns); err != nil {
			return nil, fmt.Errorf("ask ClickHouse: line %q: %w", lines.Text(), err)
		}
		for text, k := range bins {
			bin, err := strconv.ParseInt(text, 10, 16)
			if err != nil {
				return nil, fmt.Errorf("ask ClickHouse: bin %q: %w", text, err)
			}
			t.Latency.Bins.Put(int16(bin), k)
		}
		copy(t.PowerSums[:], sums)
		copy(t.Moments[:], moments)
		got.at(c).merge(t, n.First, n.Last)
	}
	return got, lines.Err()
}

// askREST asks an instance that serves, partition by partition.
func (w *world) askREST(ctx context.Context) (counts, error) {
	limit, cancel := context.WithTimeout(ctx, 5*time.Second)
	address, err := w.child("serve-1").Rest(limit)
	cancel()
	if err != nil {
		return nil, err
	}
	rest, err := client.New(address, nil)
	if err != nil {
		return nil, err
	}
	from, to := w.span()
	got := counts{}
	for _, name := range w.topicNames() {
		answer, err := rest.Windows(ctx, name, client.Query{Span: client.Span{From: time.Unix(from, 0), To: time.Unix(to, 0)}, By: []string{"partition"}})
		if err != nil {
			return nil, fmt.Errorf("ask REST: %w", err)
		}
		for i := range answer.Rows {
			r := &answer.Rows[i]
			n, err := ofREST(r)
			if err != nil {
				return nil, fmt.Errorf("ask REST: %s: %w", name, err)
			}
			got.at(cell{r.Cluster, name, *r.Partition, r.Start.Unix()}).merge(&n.Tally, n.First, n.Last)
		}
	}
	return got, nil
}

// ofREST reads what REST says of a tally: all but the bins, in whose place one
// has the count.
func ofREST(r *v1.Row) (n count, err error) {
	t := &n.Tally
	t.Count, t.Bytes, t.NoTime, t.Malformed, t.OutOfBounds = r.Count, r.Bytes, r.NoTime, r.Malformed, r.OutOfBounds
	t.Latency.Negative, t.Latency.NegativeMax = r.Latency.Negative, r.Latency.NegativeMax
	if r.Latency.Max != nil {
		t.Latency.Max = *r.Latency.Max
	}
	t.Latency.Bins.Put(0, r.Latency.Count)
	if t.Fingerprint, err = strconv.ParseUint(r.Fingerprint, 10, 64); err != nil {
		return n, fmt.Errorf("fingerprint: %w", err)
	}
	for i, s := range r.PowerSums {
		if t.PowerSums[i], err = strconv.ParseUint(s, 10, 64); err != nil {
			return n, fmt.Errorf("power sums: %w", err)
		}
	}
	for i, s := range r.MomentSums {
		if t.Moments[i], err = strconv.ParseUint(s, 10, 64); err != nil {
			return n, fmt.Errorf("moment sums: %w", err)
		}
	}
	if r.FirstOffset != nil && r.LastOffset != nil {
		n.First, n.Last = *r.FirstOffset, *r.LastOffset
	}
	return n, nil
}

// plainer is a count as REST can say it.
func plainer(c *count) *count {
	p := *c
	p.Latency.Bins = audit.Bins{}
	p.Latency.Bins.Put(0, c.Latency.Count())
	p.Latency.Sum = 0
	return &p
}

func httpGet(ctx context.Context, address string) ([]byte, error) {
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
