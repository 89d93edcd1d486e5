package audit

import "time"

// identity is what records of a topic have in common.
func (r *Recorder) identity(t *Topic) Identity {
	return Identity{Tier: r.o.Tier, Datacenter: r.o.Datacenter, Topic: t.name, Partition: NoPartition, Instance: r.o.Instance}
}

// window is the record of an entry.
func (r *Recorder) window(t *Topic, e *entry) *Record {
	id := r.identity(t)
	id.Window, id.Segment = Window{Start: e.start, Size: int64(r.o.Window.Seconds())}, e.segment
	basis := BasisHeader
	if r.o.EventTime != nil {
		basis = BasisMixed
	}
	return &Record{
		Kind: KindWindow, Identity: id, Version: e.version, Owner: r.o.Instance, Host: r.o.Host,
		Tally: &WindowTally{
			Tally: e.Tally.Clone(), First: -1, Last: -1, Codec: r.o.EventTimeName, TimeBasis: basis, LatencyBasis: BasisClock,
			FingerprintMode: r.o.Fingerprint.mode(),
		},
		Client: &ClientCount{Attempts: e.attempts, Successes: e.Count, Failures: e.failures, Started: r.began.UnixMilli()},
	}
}

// greeting is a hello or a goodbye.
func (r *Recorder) greeting(t *Topic, kind Kind) *Record {
	c := &ClientCount{Started: r.began.UnixMilli(), Every: r.silence()}
	if kind == KindGoodbye {
		c.Every = 0
		c.Records, c.Uncounted = t.book.sent, r.uncounted()
		c.Attempts, c.Successes, c.Failures = t.book.attempts, t.book.total, t.book.failures
	}
	return &Record{Kind: kind, Identity: r.identity(t), Version: r.seq, Owner: r.o.Instance, Host: r.o.Host, Client: c}
}

// howFar says up to when everything that passed has been counted and has arrived.
func (r *Recorder) howFar(t *Topic, collected time.Time) *Record {
	t.progress++
	b := &t.book
	caughtUp := CaughtUpYes
	if r.uncounted() > 0 {
		caughtUp = CaughtUpUnknown
	}
	return &Record{
		Kind: KindProgress, Identity: r.identity(t), Version: t.progress, Owner: r.o.Instance, Host: r.o.Host,
		Progress: &Progress{AskedAfter: t.acked, Sources: []SourceProgress{{
			Partition: NoPartition, Segment: b.segment, Next: r.seq, Total: b.total, Time: collected.UnixMilli(), LogStart: -1, End: -1, HighWatermark: -1, CaughtUp: caughtUp,
		}}},
		Client: &ClientCount{
			Attempts: b.attempts, Successes: b.total, Failures: b.failures, Started: r.began.UnixMilli(), Records: b.sent, Uncounted: r.uncounted(), Every: r.silence(),
		},
	}
}

// silence is how long nothing is said at most, in milliseconds.
func (r *Recorder) silence() int64 { return quietRounds * r.o.Every.Milliseconds() }

// uncounted is how many messages passed that no record has.
func (r *Recorder) uncounted() uint64 { return r.stats.uncounted.Load() + r.stats.lost.Load() }
