package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/query"
)

// show prints what a user would see.
func (w *world) show(a *args) error {
	w.shown = true
	if w.vary != nil {
		return nil // nobody looks
	}
	held, err := w.answers()
	switch what := a.word(0); {
	case err != nil:
	case what == "history":
		if held, err = w.history(); err == nil {
			w.showTable(held, false)
		}
	case what == "datacenters":
		w.showTable(held, true)
	case what == "detail":
		w.showDetail(held)
	case what == "partitions":
		w.showPartitions(held)
	case what == "sources":
		w.showSources(held)
	case what == "stored":
		err = w.showStored()
	case what == "verdicts":
		err = w.showVerdicts()
	default:
		w.showTable(held, false)
	}
	return err
}

// showTable has a line for each window, and a column for each tier. Between two
// tiers stands how many messages the second one has more or less than the first.
func (w *world) showTable(held []answer, datacenters bool) {
	for _, topic := range w.topics {
		var by []query.Dimension
		columns := w.tiers
		if datacenters {
			by, columns = []query.Dimension{query.ByDatacenter}, w.placeNames(held)
		}
		rows := map[string]map[audit.Window]*query.Row{}
		seen := map[audit.Window]bool{}
		for _, r := range windows(topic, held, by...) {
			column := placeName(r.Tier, r.Datacenter)
			if rows[column] == nil {
				rows[column] = map[audit.Window]*query.Row{}
			}
			rows[column][r.Window] = &r
			seen[r.Window] = true
		}
		columns = slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return rows[c] == nil && !w.has(c, topic) })
		t := grid{{topic}}
		t[0] = append(t[0], columns...)
		for i := 1; i < len(columns) && !datacenters; i++ {
			t[0] = append(t[0], columns[i]+"-"+columns[i-1])
		}
		for _, window := range sortedWindows(seen) {
			line := []string{label(window)}
			for _, c := range columns {
				line = append(line, countOf(rows[c][window]))
			}
			for i := 1; i < len(columns) && !datacenters; i++ {
				line = append(line, difference(rows[columns[i-1]][window], rows[columns[i]][window]))
			}
			var notes []string
			for _, c := range columns {
				if n := notesOf(rows[c][window]); n != "" {
					notes = append(notes, c+": "+n)
				}
			}
			t = append(t, append(line, strings.Join(notes, "; ")))
		}
		if len(t) == 1 {
			t = grid{{topic, "nothing is known"}}
		}
		w.print(t)
		w.showMissed(topic, held)
	}
}

// has says whether a topic is at a tier, or at a tier and datacenter.
func (w *world) has(column, topic string) bool {
	return slices.ContainsFunc(w.places, func(p *place) bool { return (p.tier == column || p.String() == column) && p.topics[topic] != nil })
}

// placeNames are the places, by tier and in order of declaration, and what else
// records speak of.
func (w *world) placeNames(held []answer) (names []string) {
	for _, tier := range w.tiers {
		for _, p := range w.places {
			if p.tier == tier {
				names = append(names, p.String())
			}
		}
		for _, a := range held {
			if name := placeName(a.Tier, a.Datacenter); a.Tier == tier && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func sortedWindows(seen map[audit.Window]bool) []audit.Window {
	return slices.SortedFunc(maps.Keys(seen), func(a, b audit.Window) int { return int(min(1, max(-1, a.Start-b.Start))) })
}

func countOf(r *query.Row) string {
	if r == nil {
		return "-"
	}
	return fmt.Sprint(r.Count)
}

// difference says how the second of two tiers differs. Where the counts are the
// same the fingerprints tell whether the messages are.
func difference(a, b *query.Row) string {
	var none query.Row
	if a == nil {
		a = &none
	}
	if b == nil {
		b = &none
	}
	switch n := int64(b.Count) - int64(a.Count); {
	case n != 0:
		return fmt.Sprintf("%+d", n)
	case a.Originals+b.Originals > 0:
		return "0" // they bring no fingerprint
	case a.Fingerprint != b.Fingerprint || a.PowerSums != b.PowerSums || a.Moments != b.Moments:
		return "0, others"
	}
	return "same"
}

func notesOf(r *query.Row) string {
	if r == nil {
		return ""
	}
	var notes []string
	if r.Partial {
		notes = append(notes, "partial")
	}
	for _, n := range []struct {
		n    uint64
		what string
	}{
		{r.NoTime, "without time"}, {r.Malformed, "malformed"}, {r.OutOfBounds, "out of bounds"}, {r.Latency.Negative, "from the future"},
	} {
		if n.n > 0 {
			notes = append(notes, fmt.Sprint(n.n, " ", n.what))
		}
	}
	return strings.Join(notes, ", ")
}

func (w *world) showMissed(topic string, held []answer) {
	for _, m := range missed(topic, held) {
		from, to := m.Missed.From, m.Missed.To
		what := fmt.Sprintf("offsets %d to %d, at most %d messages", from, to-1, to-from)
		switch m.Missed.Reason { // the range says where, and not how many
		case audit.MissedTruncated, audit.MissedRecreated, audit.MissedDamaged:
			what = fmt.Sprintf("near offset %d, nobody knows how many", from)
		}
		w.out += fmt.Sprintf("missed: %s %s partition %d, %s (%s)\n", topic, placeName(m.Tier, m.Datacenter), m.Partition, what, m.Missed.Reason)
	}
}

// showDetail has a line for each window, tier and datacenter.
func (w *world) showDetail(held []answer) {
	for _, topic := range w.topics {
		t := grid{{topic, "tier", "count", "bytes", "p50", "p95", "max", "sources", "originals"}}
		for _, r := range w.inOrder(windows(topic, held, query.ByDatacenter)) {
			l := &r.Latency
			p50, p95, most := "-", "-", "-"
			if l.Count() > 0 {
				p50, p95, most = milliseconds(l.Quantile(0.5)), milliseconds(l.Quantile(0.95)), milliseconds(float64(l.Max))
			}
			t = append(t, []string{label(r.Window), placeName(r.Tier, r.Datacenter), countOf(&r), fmt.Sprint(r.Bytes), p50, p95, most,
				fmt.Sprint(r.Sources), fmt.Sprint(r.Originals), notesOf(&r)})
		}
		w.print(t, 1)
		w.showMissed(topic, held)
	}
}

// inOrder sorts rows by window, and tiers as they were declared.
func (w *world) inOrder(rows []query.Row) []query.Row {
	slices.SortStableFunc(rows, func(a, b query.Row) int {
		if a.Start != b.Start {
			return int(min(1, max(-1, a.Start-b.Start)))
		}
		return slices.Index(w.tiers, a.Tier) - slices.Index(w.tiers, b.Tier)
	})
	return rows
}

// milliseconds prints a latency, three digits of it: percentiles are no more
// exact.
func milliseconds(ms float64) string {
	d := time.Duration(ms) * time.Millisecond
	for unit := time.Duration(1); unit <= d; unit *= 10 {
		if d/unit < 1000 {
			return d.Round(unit).String()
		}
	}
	return d.String()
}

// showPartitions has a line for each window and partition.
func (w *world) showPartitions(held []answer) {
	for _, topic := range w.topics {
		t := grid{{topic, "tier", "partition", "count", "first", "last"}}
		for _, r := range w.inOrder(windows(topic, held, query.ByDatacenter, query.ByPartition)) {
			if r.Partition == nil {
				continue
			}
			t = append(t, []string{label(r.Window), placeName(r.Tier, r.Datacenter), fmt.Sprint(*r.Partition), countOf(&r), fmt.Sprint(r.First), fmt.Sprint(r.Last), notesOf(&r)})
		}
		w.print(t, 1)
		w.showMissed(topic, held)
	}
}

// showSources says how far each source is counted.
func (w *world) showSources(held []answer) {
	for _, topic := range w.topics {
		t := grid{{topic, "partition", "generation", "start", "next", "end", "messages", "caught up"}}
		for _, p := range progressOf(topic, held) {
			s, end, note := p.SourceProgress, "-", ""
			if s.End >= 0 {
				end = fmt.Sprint(s.End)
			}
			if s.HighWatermark > s.End {
				note = fmt.Sprintf("open transactions up to %d", s.HighWatermark)
			}
			t = append(t, []string{placeName(p.Tier, p.Datacenter), fmt.Sprint(s.Partition), fmt.Sprint(s.Generation), fmt.Sprint(s.Start),
				fmt.Sprint(s.Next), end, fmt.Sprint(s.Total), string(s.CaughtUp), note})
		}
		w.print(t)
	}
}

// showStored says what the counting processor keeps in its table.
func (w *world) showStored() error {
	held := map[string]map[string][2]int{}
	for key := range w.table {
		src, rest, err := counter.ParseSource(key)
		if err != nil {
			return err
		}
		k, err := counter.ParseKey(rest)
		if err != nil {
			return err
		}
		if held[src.Topic] == nil {
			held[src.Topic] = map[string][2]int{}
		}
		n := held[src.Topic][src.Cluster]
		if k.Ledger {
			n[1]++
		} else {
			n[0]++
		}
		held[src.Topic][src.Cluster] = n
	}
	for _, topic := range w.topics {
		t := grid{{topic, "rows", "ledgers"}}
		for _, p := range w.places {
			if n, ok := held[topic][p.cluster()]; ok {
				t = append(t, []string{p.String(), fmt.Sprint(n[0]), fmt.Sprint(n[1])})
			}
		}
		w.print(t)
	}
	return nil
}

// label is a window's start; with its day, unless that is the first one.
func label(win audit.Window) string {
	layout := "15:04"
	if win.Size%60 != 0 {
		layout = "15:04:05"
	}
	if day := midnight / 1000; win.Start < day || win.Start >= day+24*60*60 {
		layout = "2006-01-02 " + layout
	}
	return win.From().Format(layout)
}
