package counter

// An account is what a session was given and what it did with it. It must balance
// at every moment, whatever befalls.
type account struct {
	// Messages handed to Add: each is one of these.
	counted, replayed, below, dropped uint64
	// Writes that somebody waits for.
	sent, landed, lost int
}

// add hands a message to a counter, and sees what becomes of it.
func (w *world) add(a *actor, e *Event) {
	c, b := a.c, &a.account
	before, was, broken := c.led, c.stats, c.broken
	read := *e
	read.Arrival = int64(b.counted%5000) - 9 // everybody reads by another clock: nothing may depend on it
	c.Add(&read)
	after := &c.led
	counted, replayed := c.stats.Counted-was.Counted, c.stats.Replayed-was.Replayed
	b.counted += counted
	b.replayed += replayed
	switch {
	case e.Offset < before.Next:
		b.below++
	case broken != nil || c.broken != nil:
		b.dropped++
	case counted+replayed != 1 || after.Next != e.Offset+1 || w.oneLog(a.src) && after.Total != before.Total+1:
		w.fail("%s: message %d was counted %d times and skipped %d times; ledger before %+v, after %+v", a.name, e.Offset, counted, replayed, before, *after)
	default:
		a.src.reached[after.Generation] = max(a.src.reached[after.Generation], e.Offset)
		return
	}
	if counted+replayed != 0 || after.Total != before.Total || after.Next != before.Next {
		w.fail("%s: message %d was to be left alone, and moved %+v to %+v", a.name, e.Offset, before, *after)
	}
}

// oneLog says that a message read again is there, and is the same. Else the ledger
// may have to be made to agree with rows that hold others.
func (w *world) oneLog(s *source) bool { return !w.vanish && s.cutAt < 0 && !(s.deleted && w.byName) }

// balance checks the account of a session, and the ledger that it is about to write.
func (w *world) balance(a *actor) {
	b, c := &a.account, a.c
	if s := c.stats; b.counted != s.Counted || b.replayed != s.Replayed {
		w.fail("%s: counted %d and skipped %d, its statistics say %+v", a.name, b.counted, b.replayed, s)
	}
	waiting := 0
	for _, wr := range a.out {
		if wr.asks {
			waiting++
		}
	}
	if b.sent != b.landed+waiting+b.lost {
		w.fail("%s: sent %d rows, records and ledgers; %d arrived, %d are on their way, %d were lost", a.name, b.sent, b.landed, waiting, b.lost)
	}
	w.checkLedger(a, &a.at)
}

// checkLedger compares a ledger with the truth: what lies before Next is counted.
func (w *world) checkLedger(a *actor, l *Ledger) {
	birth, known := a.src.born[l.Generation]
	if !known || birth.old || birth.start != l.Start || w.vanish {
		return // among them beginnings that were never confirmed, and wait for nobody
	}
	want := birth.before(l.Next)
	got := position{l.Last, l.Segment, l.SegmentCount, l.Total, l.CutTime}
	if l.Total == 0 && l.Last < l.Start {
		got.last = -1 // of the generation before, if any
	}
	if got != want {
		w.fail("%s writes ledger %+v, truth %+v", a.name, *l, want)
	}
	w.stats["ledgers checked"]++
}

// checkTotal compares the ledger of a generation with its records: the sum over
// all windows and segments, closed ones too.
func (w *world) checkTotal(s *source, l *Ledger, best map[Key]auditRec) {
	var sum uint64
	for _, r := range best {
		if r.key.Generation == l.Generation {
			sum += r.row.Count
		}
	}
	if sum != l.Total {
		w.fail("%v: the records of generation %d add up to %d, its ledger says %d", s.TopicID, l.Generation, sum, l.Total)
	}
}
