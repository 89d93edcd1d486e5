package collect

import (
	"fmt"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
)

// books hold the counting of each source to account, from what its records and
// its progress say. All records of a flush are on the log before the progress
// that covers it. So when progress says that a generation has counted so many
// messages below an offset, the newest versions add up to that many at least, and
// to exactly as many if none of them reaches that offset.
//
// The machine does not have all records: it drops what lies beyond the horizon,
// and a session does not know what earlier ones have dropped. So the sum is not
// added up from nothing. It is learnt from progress at a moment when it is exact,
// and from then on follows the versions as they rise; after a record that cannot
// be followed it is learnt anew. Repeated, late and reordered records, restarts
// on both sides, owners that wake up: none of them puts a sum out. What does is a
// record that was lost, or that says something else than was counted.
//
// Pure, as the machine is. A source is forgotten when nothing has been heard of
// it for a horizon.
type books struct {
	sources map[audit.Source]*account
	known   int   // generations whose sum is
	loaded  int64 // highest offset of what an earlier session stored: it may have read further than it committed
	offset  int64 // of the record at hand, on the audit topic
	now     int64 // the log's time
	found   []Imbalance
}

// account is that of one source.
type account struct {
	tier, datacenter string
	renamed          bool  // another tier or datacenter has spoken of it: its records lack what the other has counted
	compacted        bool  // what is counted of a compacted topic depends on when it is read
	mark             int64 // where the source's log ended when earlier sessions had read what they have; -1 unknown
	generations      []*generation
}

// generation is one counting of a source.
type generation struct {
	number  int64
	known   bool   // sum is; set by know
	sum     uint64 // messages by the newest versions, and of what there was when it was learnt
	high    int64  // highest version seen, -1 if none
	floor   int64  // a window that began below it is not new, whether we know it or not
	sound   int64  // offset on the audit topic at which the sum was last seen to be right, -1 if never
	touched int64  // the log's time when it was last heard of
	ranges
}

// An Imbalance is something that cannot be while all programs and machines do
// what they should.
type Imbalance struct {
	Kind   ImbalanceKind
	Source audit.Source
	Text   string
}

// An ImbalanceKind is also the label of a metric.
type ImbalanceKind string

// The kinds of imbalances.
const (
	Deficit ImbalanceKind = "deficit" // records have fewer messages than progress says
	Surplus ImbalanceKind = "surplus" // ... or more
	Overlap ImbalanceKind = "overlap" // two segments or generations have counted the same offsets
	Law     ImbalanceKind = "law"     // records that must be equal are not
)

// String says of what source, what is wrong, what that means and what to do.
func (i *Imbalance) String() string {
	so := map[ImbalanceKind]string{
		Deficit: "its windows read too low: were records deleted from the audit topic?",
		Surplus: "its windows read too high, or whoever counts it has lost messages: was something written to the audit topic by hand?",
		Overlap: "messages may be counted twice: did an instance that was paused go on when the log or the configuration had changed?",
		Law:     "its windows are uncertain: do two deployments share the audit topic, or was the count table emptied?",
	}
	return fmt.Sprintf("%s: %s; %s If not, report a bug with this line", i.Source, i.Text, so[i.Kind])
}

// know sets whether the sum of a generation is known.
func (b *books) know(g *generation, known bool) {
	switch {
	case known && !g.known:
		b.known++
	case !known && g.known:
		b.known--
	}
	g.known = known
}

func newBooks() *books { return &books{sources: map[audit.Source]*account{}, loaded: -1} }

func (b *books) say(kind ImbalanceKind, src audit.Source, format string, args ...any) {
	b.found = append(b.found, Imbalance{kind, src, fmt.Sprintf(format, args...)})
}

// account finds or opens the account of a source that a record speaks of.
func (b *books) account(src audit.Source, r *audit.Record) *account {
	a := b.sources[src]
	if a == nil {
		a = &account{tier: r.Tier, datacenter: r.Datacenter, mark: -1}
		b.sources[src] = a
	}
	a.renamed = a.renamed || a.tier != r.Tier || a.datacenter != r.Datacenter
	return a
}

// sums says whether the newest versions of a source must add up to its progress.
func (a *account) sums() bool { return !a.renamed && !a.compacted }

// generation finds or begins a generation. Few sources have more than one.
func (a *account) generation(number int64) *generation {
	i := len(a.generations)
	for ; i > 0 && a.generations[i-1].number >= number; i-- {
		if a.generations[i-1].number == number {
			return a.generations[i-1]
		}
	}
	g := &generation{number: number, high: -1, floor: -1, sound: -1, ranges: ranges{start: -1}}
	a.generations = slices.Insert(a.generations, i, g)
	return g
}

// collected takes a record that is newer than its entry, before the entry does.
// Again says that the entry is of this session, not only of the table.
func (b *books) collected(e *entry, r *audit.Record, again bool) {
	switch r.Kind {
	case audit.KindWindow:
		b.law(e, r)
		g := b.window(r)
		if g == nil {
			return
		}
		first, rise := len(e.former) == 0 && !again, r.Tally.Count-e.row.Count
		if first && r.Tally.First < g.floor || rise != 0 && r.Version < g.floor {
			b.know(g, false) // its window had been dropped, or it comes after the progress that covers it
		}
		g.sum += rise
	case audit.KindMissed:
		b.missed(r)
	case audit.KindProgress:
		for i := range r.Progress.Sources {
			if s := &r.Progress.Sources[i]; s.Partition != audit.NoPartition { // else it has no offsets: see window
				b.progress(r, s, e.spoke && r.Version == e.row.Version+1)
			}
		}
		e.spoke = b.offset > b.loaded && (r.Version > e.row.Version || len(e.former) == 0)
	}
}

// superseded takes a record that is not newer than its entry.
func (b *books) superseded(e *entry, r *audit.Record) {
	if r.Kind == audit.KindWindow {
		if r.Version == e.row.Version {
			b.law(e, r)
		}
		b.window(r)
	}
}

// passed takes a record that is not kept, or that will come again.
func (b *books) passed(r *audit.Record) {
	if r.Kind == audit.KindWindow {
		if g := b.window(r); g != nil {
			b.know(g, false)
		}
	}
}

// dropped says that an entry was forgotten: should its window come again, all of
// it would seem to be new.
func (b *books) dropped(e *entry) {
	id, err := table.ParseIdentity(e.identity)
	if err != nil || id.Kind != audit.KindWindow {
		return
	}
	if a := b.sources[id.Source()]; a != nil {
		for _, g := range a.generations {
			if g.number == id.Generation {
				g.floor = max(g.floor, e.row.Version+1)
			}
		}
	}
}

// missed notes how a generation has begun.
func (b *books) missed(r *audit.Record) {
	a := b.account(r.Source(), r)
	g := a.generation(r.Generation)
	g.touched = b.now
	g.cut = r.Missed.Reason == audit.MissedTruncated
	g.follows = !g.cut
	if g.cut {
		a.mark = -1 // the log may end lower now
	}
}

// window notes what a record has counted, whatever becomes of it. Of what is no
// partition there is no generation: it has neither offsets nor progress.
func (b *books) window(r *audit.Record) *generation {
	if r.Partition == audit.NoPartition {
		return nil
	}
	a := b.account(r.Source(), r)
	g := a.generation(r.Generation)
	if g.high < 0 && a.mark >= 0 && r.Tally.GenerationStart >= a.mark {
		b.know(g, true) // it began in this session, which has heard how
		g.follows = !g.cut
	}
	g.touched, g.high = b.now, max(g.high, r.Version)
	b.span(a, g, r)
	return g
}

// forget drops what nothing has been heard of since a moment of the log's time.
func (b *books) forget(before int64) {
	for src, a := range b.sources {
		a.generations = slices.DeleteFunc(a.generations, func(g *generation) bool {
			if g.touched < before {
				b.know(g, false)
			}
			return g.touched < before
		})
		for _, g := range a.generations {
			g.segments = slices.DeleteFunc(g.segments, func(s segment) bool { return s.touched < before })
		}
		if len(a.generations) == 0 {
			delete(b.sources, src)
		}
	}
}
