package views

import (
	"fmt"
	"maps"
	"math"
	"reflect"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/query"
)

// caughtUp reads what is left of the table, and compares.
func (w *world) caughtUp(r *reader) {
	rep := r.s.current.Load()
	for _, f := range r.followers() {
		if w.forgetTooMuch {
			f.current.Load().detail = w.detail / 4
		}
	}
	for _, l := range w.logs {
		w.read(r, l, math.MaxInt)
	}
	for _, f := range r.followers() {
		if !w.neverSwept {
			f.current.Load().sweep()
		}
	}
	want := map[string]table.Row{} // by identity
	for _, l := range w.logs {
		for key, value := range l.table.says() {
			if table.Judged(key) {
				continue
			}
			identity, _, _ := table.Cut(key)
			row, err := table.Parse(value)
			if err != nil {
				w.fail("%s: %w", key, err)
			}
			if old, ok := want[identity]; !ok || row.Version > old.Version || row.Version == old.Version && row.Offset < old.Offset {
				want[identity] = row
			}
		}
	}
	maps.DeleteFunc(want, func(_ string, row table.Row) bool { return row.Until != 0 && row.Old(rep.now.Load(), w.detail+slack) })
	got := map[string]table.Row{}
	for e := range rep.about("") {
		got[e.identity] = e.row
	}
	for identity, row := range want {
		if !reflect.DeepEqual(got[identity], row) {
			w.fail("%s: the view has version %d of offset %d, the table %d of %d", identity, got[identity].Version, got[identity].Offset, row.Version, row.Offset)
		}
	}
	if len(got) != len(want) {
		w.fail("the view has %d identities, the table %d within detail", len(got), len(want))
	}
	w.checkProgress(r, want)
	w.checkVerdicts(r)
	w.stats["views compared"]++
	w.stats["identities compared"] += len(want)
}

// checkProgress: the newest record about each source is what the view says of it.
func (w *world) checkProgress(r *reader, rows map[string]table.Row) {
	want, offsets := map[audit.Source]string{}, map[audit.Source]int64{}
	for _, row := range rows {
		rec, err := audit.Decode(row.JSON)
		if err != nil || rec.Progress == nil {
			continue
		}
		for _, p := range rec.Progress.Sources {
			src := rec.Source()
			src.Partition = p.Partition
			if offsets[src] <= row.Offset {
				offsets[src], want[src] = row.Offset, fmt.Sprint(rec.Owner, rec.Version, row.Appended)
			}
		}
	}
	list, err := r.s.Progress(w.t.Context(), "")
	if err != nil || len(list) != len(want) {
		w.fail("progress of %d sources, %v, want %d", len(list), err, len(want))
	}
	for _, p := range list {
		if got := fmt.Sprint(p.Owner, p.Next, p.AsOf.UnixMilli()); got != want[p.Source] { // Next is the version
			w.fail("progress of %v by %s, want %s", p.Source, got, want[p.Source])
		}
	}
}

// checkWindows: since its Horizon, a view says what all records together say.
func (w *world) checkWindows(r *reader) {
	from := r.s.Horizon()
	all := func(yield func(*audit.Record) bool) {
		for _, l := range w.logs {
			for _, rec := range l.records {
				if !yield(rec) {
					return
				}
			}
		}
	}
	for _, topic := range topics {
		q := query.Windows{Topic: topic, From: from, To: math.MaxInt64, By: []query.Dimension{query.ByPartition}}
		got, err := r.s.Windows(w.t.Context(), q)
		if want := query.Group(q, all); err != nil || !reflect.DeepEqual(got, want) {
			w.fail("windows of %s since %d:\n%+v, %v\nwant\n%+v", topic, from, got, err, want)
		}
		w.stats["windows compared"] += len(got)
	}
	got, err := r.s.Topics(w.t.Context(), from, math.MaxInt64)
	if want := query.GroupTopics(from, math.MaxInt64, all); err != nil || !reflect.DeepEqual(got, want) {
		w.fail("topics since %d: %+v, %v, want %+v", from, got, err, want)
	}
}
