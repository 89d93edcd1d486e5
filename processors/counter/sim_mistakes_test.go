package counter

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

// mistake switches a mistake on: the simulation must notice each of them.
type mistake struct {
	ledgerEarly     bool // ledger written with the rows, not after their acks
	evictEarly      bool // eviction when memory says the segment is closed, not the durable ledger
	evictUnsure     bool // eviction without asking the coordinator
	lastWins        bool // recovery takes the last record of a row, not the highest version
	collectLastWins bool // the collector takes the last record
	sharedKeys      bool // rows and ledgers keyed without owner
	segmentByOwner  bool // a segment also begins when an owner starts
	segmentByClock  bool // a segment also begins at some flushes
	noReemit        bool // rows ahead of the ledger are not emitted again
	openEarly       bool // the first row is written before the first ledger is sure
	evictOthersRows bool // a row written anew replaces the former owners' row at once
	newWindows      bool // other windows per segment after a restart
	hastyCompaction bool // not ours: compaction removes what a running recovery has yet to read

	silent           bool // what was missed is not said
	overlap          bool // a new generation begins at the old ledger, though rows are ahead of it
	continueAnyBirth bool // of two beginnings of a generation the lower one is continued
	noSettle         bool // compacted source: the ledger is not made to agree with the rows

	noSkip          bool // a message that its row has already is counted again
	noTurn          bool // compacted source: rows found ahead do not say where their segment begins
	noCompare       bool // the last message counted is not read again and compared
	noCompareAhead  bool // ... nor the last message of the rows found ahead
	deafToRetention bool // what retention has taken is passed over
	withoutID       bool // a topic made again is taken for the same source
	wholeByMistake  bool // windows cut by the start are not partial
	birthUnchecked  bool // a ledger that has counted nothing is continued without asking
}

// spoil makes those mistakes that an owner makes at recovery.
func (w *world) spoil(a *actor, found Found) {
	c := a.c
	if w.openEarly {
		c.fresh = false
	}
	if w.noReemit {
		for _, r := range c.dirty {
			r.dirty = false
		}
		c.dirty = nil
	}
	if w.segmentByOwner && !found.Fresh {
		rollOver(c)
	}
	if w.newWindows && !found.Fresh && w.IntN(3) == 0 {
		c.led.Windows++
	}
	if g := c.led.Missed; w.overlap && found.Reason == audit.MissedConfig && g != nil {
		c.led.Start, c.led.Next, c.led.Missed = g.From, g.From, nil
		c.durable = c.led
	}
	if w.noSettle {
		c.replayTo = 0
	}
	if w.noTurn {
		c.turn = unknownTurn
	}
	if w.noCompareAhead {
		c.replayed = 0
	}
	if w.wholeByMistake {
		c.led.CutTime = NoCut
	}
	if w.birthUnchecked && !found.Fresh {
		c.fresh = false
	}
}

// skipNothing makes the counter forget that a row has the message already.
func (w *world) skipNothing(a *actor, e *Event) {
	if !w.noSkip || e.Offset < a.c.led.Next {
		return
	}
	for _, r := range a.c.rows {
		if r.Window == e.Window && r.First <= e.Offset {
			r.Last = min(r.Last, e.Offset-1)
		}
	}
}

func rollOver(c *Counter) {
	if c.open > 0 {
		c.nextSegment()
	}
}

// oneBirth drops all but the lowest of the beginnings of a generation.
func oneBirth(table map[Key]Entry) map[Key]Entry {
	lowest := map[int64]int64{}
	for k, e := range table {
		if l := e.Ledger; l != nil && l.Total == 0 {
			if s, ok := lowest[k.Generation]; !ok || l.Start < s {
				lowest[k.Generation] = l.Start
			}
		}
	}
	maps.DeleteFunc(table, func(k Key, e Entry) bool {
		return e.Ledger != nil && e.Ledger.Total == 0 && e.Ledger.Start > lowest[k.Generation]
	})
	return table
}

// TestMistakesAreFound: a simulation that cannot fail proves nothing. The lines
// that begin with "after" are read by internal/simulate.
func TestMistakesAreFound(t *testing.T) {
	losses := kind{retention: true, reconfigure: true}
	type suspect struct {
		mistake
		kind
		seed uint64 // near one that finds it; if the schedule changes, look for others with -hunt
	}
	suspects := map[string]suspect{
		"ledger before acks":                     {mistake: mistake{ledgerEarly: true}},
		"eviction before durable ledger":         {mistake: mistake{evictEarly: true}},
		"eviction without confirmed ownership":   {mistake: mistake{evictUnsure: true}, seed: 230},
		"recovery: last record wins":             {mistake: mistake{lastWins: true}},
		"collector: last record wins":            {mistake: mistake{collectLastWins: true}},
		"keys shared by owners":                  {mistake: mistake{sharedKeys: true}},
		"segment per owner":                      {mistake: mistake{segmentByOwner: true}},
		"segment by clock":                       {mistake: mistake{segmentByClock: true}},
		"rows ahead not emitted again":           {mistake: mistake{noReemit: true}},
		"rows before the first ledger is sure":   {mistake: mistake{openEarly: true}},
		"superseded rows deleted at once":        {mistake: mistake{evictOthersRows: true}, seed: 2470},
		"windows per segment changed":            {mistake: mistake{newWindows: true}},
		"compaction faster than recovery (env.)": {mistake: mistake{hastyCompaction: true}},
		"missed range not said":                  {mistake: mistake{silent: true}, kind: losses},
		"generations overlap":                    {mistake: mistake{overlap: true}, kind: losses},
		"one of two beginnings continued":        {mistake: mistake{continueAnyBirth: true}, kind: kind{wander: true}, seed: 200},
		"beginning continued without asking":     {mistake: mistake{birthUnchecked: true}, kind: kind{wander: true}},
		"compacted replay taken for damage":      {mistake: mistake{noSettle: true}, kind: kind{vanish: true}},
		"segment turns late on a compacted log":  {mistake: mistake{noTurn: true}, kind: kind{vanish: true}},
		"no skip rule":                           {mistake: mistake{noSkip: true}},
		"cut log not noticed":                    {mistake: mistake{noCompare: true}, kind: kind{truncate: true}, seed: 55},
		"cut log not noticed below rows ahead":   {mistake: mistake{noCompareAhead: true}, kind: kind{truncate: true}, seed: 140},
		"retention not noticed":                  {mistake: mistake{deafToRetention: true}, kind: losses},
		"topic id not in the key":                {mistake: mistake{withoutID: true}, kind: kind{recreate: true}},
		"windows cut by the start pass as whole": {mistake: mistake{wholeByMistake: true}, kind: kind{wander: true}},
	}
	tries := uint64(max(*seeds, 1000))
	for _, name := range slices.Sorted(maps.Keys(suspects)) {
		s := suspects[name]
		t.Run(name, func(t *testing.T) {
			from := max(1, s.seed)
			if *hunt {
				from = *seed
			}
			for at := from; at < from+tries; at++ {
				w := simulate(at, s.kind, s.mistake)
				if w.err == nil {
					continue
				}
				by := "the simulation's checks"
				if errors.Is(w.err, ErrDamaged) {
					by = "the self-check at recovery"
				}
				if sound := simulate(at, s.kind, mistake{}); sound.err != nil {
					t.Errorf("seed %d fails without the mistake too: %v", at, sound.err)
				}
				t.Logf("after %d runs, by %s: seed %d: %.300v", at-from+1, by, at, w.err)
				return
			}
			t.Errorf("not found in %d runs", tries)
		})
	}
}
