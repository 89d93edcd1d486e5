package views

import (
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/query"
)

// checkVerdicts: a view that has read all of the topic has, of each window within Detail,
// the verdict with the highest version over all owners, and the outline is that of these.
// Two sessions may have said different things with one version: the younger one began at
// the committed offset with a table that was ahead of it.
func (w *world) checkVerdicts(r *reader) {
	rep := r.v.current.Load()
	verdicts, standings := map[string]*compare.Verdict{}, map[string]*compare.Standing{}
	for _, l := range w.logs {
		says := l.verdicts.says()
		for _, key := range slices.Sorted(maps.Keys(says)) { // of equal versions the first owner counts
			value := says[key]
			identity, _, _ := table.Cut(key)
			v, s, err := compare.Decode(value)
			if err != nil {
				w.fail("%s: %w", key, err)
				return
			}
			if old := verdicts[identity]; v != nil && (old == nil || v.Version > old.Version) {
				verdicts[identity] = v
			}
			if old := standings[identity]; s != nil && (old == nil || s.Version > old.Version) {
				standings[identity] = s
			}
		}
	}
	maps.DeleteFunc(verdicts, func(_ string, v *compare.Verdict) bool {
		row := table.Row{Appended: v.Judged, Until: v.Window().End()}
		return row.Old(rep.now.Load(), w.detail+slack)
	})
	all := query.Verdicts{From: math.MinInt64, To: math.MaxInt64}
	got, err := r.v.Verdicts(w.t.Context(), all)
	if err != nil || len(got) != len(verdicts) {
		w.fail("%d verdicts, %v, want %d", len(got), err, len(verdicts))
	}
	outline := map[string][]query.Judgement{}
	for _, v := range got {
		if !reflect.DeepEqual(v, verdicts[v.Key()]) {
			w.fail("verdict %+v, want %+v", v, verdicts[v.Key()])
		}
		outline[v.Topic] = append(outline[v.Topic], query.JudgementOf(v))
	}
	if list, err := r.v.Judgements(w.t.Context(), all); err != nil || !reflect.DeepEqual(list, outline) {
		w.fail("judgements\n%+v, %v, want\n%+v", list, err, outline)
	}
	stands, err := r.v.Standings(w.t.Context(), "")
	if err != nil || len(stands) != len(standings) {
		w.fail("%d standings, %v, want %d", len(stands), err, len(standings))
	}
	for _, s := range stands {
		if !reflect.DeepEqual(s, standings[s.Key()]) {
			w.fail("standing %+v, want %+v", s, standings[s.Key()])
		}
	}
	if names := func() (list []string) {
		for _, s := range stands {
			list = append(list, s.Topic)
		}
		return list
	}(); !slices.IsSorted(names) {
		w.fail("standings are not in order: %v", names)
	}
	w.stats["verdicts compared"] += len(got)
}
