package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/collect/judge"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// emit appends a record to the audit topic.
func (d *day) emit(r *audit.Record) error {
	b := r.AppendJSON(nil)
	d.records++
	d.log = append(d.log, collect.Message{Offset: d.base + int64(len(d.log)), Appended: d.now, Key: []byte(r.Key()), Value: b})
	if len(d.log) > 10 && d.r.IntN(5000) == 0 { // a producer believed that it had not arrived
		m := d.log[len(d.log)-1-d.r.IntN(10)]
		m.Offset, m.Appended = d.base+int64(len(d.log)), d.now
		d.log = append(d.log, m)
	}
	return nil
}

// collector begins a session.
func (d *day) collector() {
	d.owners++
	d.m = collect.NewMachine(collect.MachineOptions{Owner: fmt.Sprint("collect-", d.owners), Start: d.committed, Partition: d.partition, Partitions: dayPartitions,
		Horizon: 48 * time.Hour, Judge: judge.Options{Plan: dayPlan, Size: daySize}, Verdicts: "verdicts"})
	for key, v := range d.table {
		if err := d.m.Load(key, v); err != nil {
			panic(fmt.Sprint("load: ", err)) // what it wrote itself
		}
	}
	d.applied = 0
}

// crash ends the session somewhere.
func (d *day) crash() error {
	for ; d.applied < len(d.log); d.applied++ {
		if _, err := d.m.Apply(d.log[d.applied]); err != nil {
			return err
		}
	}
	c := d.m.Take()
	for _, w := range c.Writes[:d.r.IntN(len(c.Writes)+1)] {
		d.store(w)
	}
	d.down = true
	return nil
}

func (d *day) collect() error {
	for ; d.applied < len(d.log); d.applied++ {
		if out, err := d.m.Apply(d.log[d.applied]); err != nil {
			return err
		} else if out == collect.Moved || out == collect.Beyond {
			return fmt.Errorf("a record is %s", out)
		}
	}
	c := d.m.Take()
	for _, w := range c.Writes {
		d.store(w)
	}
	for _, k := range c.Deletes {
		delete(d.table, k)
	}
	if c.Next >= 0 {
		d.committed = c.Next
		n := int(c.Next - d.base)
		keep := max(0, n-20)
		d.log = slices.Delete(d.log, 0, keep)
		d.base += int64(keep)
		d.applied -= keep
	}
	d.m.Acked(c, true)
	for _, i := range d.m.Imbalances() {
		d.fail(wrongOrder, "imbalance: %s", i.String())
	}
	return nil
}

func (d *day) fail(kind, format string, a ...any) {
	d.wrong = append(d.wrong, problem{kind, fmt.Sprintf("seed %d, partition %d: ", d.seed, d.partition) + fmt.Sprintf(format, a...)})
}

// store writes to the table, and looks at what is said.
func (d *day) store(w shards.Message) {
	if w.Value == nil {
		return
	}
	d.table[w.Key] = w.Value
	if !table.Judged(w.Key) {
		return
	}
	v, s, err := compare.Decode(w.Emit)
	if err != nil {
		d.fail(wrongOrder, "%v", err)
		return
	}
	name := ""
	if v != nil {
		name = v.Topic
	} else {
		name = s.Topic
	}
	i := slices.IndexFunc(d.topics, func(t *dayTopic) bool { return t.name == name })
	if t := d.topics[i]; v != nil {
		d.verdict(t, v)
	} else {
		d.standing(t, s)
	}
}

func (d *day) verdict(t *dayTopic, v *compare.Verdict) {
	d.verdicts++
	old := t.verdicts[v.Start]
	if old != nil && (v.Version < old.Version || order(v.State) < order(old.State)) {
		d.fail(wrongOrder, "%s %s: %s (version %d) after %s (version %d)", t.name, clock(v.Start*1000), said(v), v.Version, said(old), old.Version)
	}
	t.verdicts[v.Start] = v
	if v.Kind == compare.Unknown {
		d.unknowns++
		if d.unknowns == 1 {
			d.fail(falseFinding, "%s %s: %s", t.name, clock(v.Start*1000), said(v))
		}
	}
	if !v.State.Settled() {
		if v.Kind == compare.Missing || v.Kind == compare.Duplicated || v.Kind == compare.Altered {
			d.fail(overclaims, "%s %s: %s", t.name, clock(v.Start*1000), said(v))
		}
		return
	}
	if t.settledAt[v.Start] == 0 {
		t.settledAt[v.Start] = v.Judged
		d.found = append(d.found, float64(v.Judged-(v.Start+daySize)*1000-dayGrace)/1000)
	}
	loss := t.lost[v.Start]
	switch {
	case loss == nil && v.Kind != compare.Complete:
		d.fail(falseFinding, "%s %s: %s", t.name, clock(v.Start*1000), said(v))
	case loss == nil:
	case v.Kind == compare.Complete:
		d.fail(falseComplete, "%s %s: one is lost at hop %d: %s", t.name, clock(v.Start*1000), loss.hop, said(v))
	case len(v.Findings) != 1 || v.Findings[0].Messages != 1 || v.Findings[0].From != dayTiers[loss.hop] || len(v.Findings[0].IDs) != 1 || v.Findings[0].IDs[0].ID != loss.id ||
		v.Kind != compare.Missing && v.Kind != compare.Late:
		d.fail(wrongNumber, "%s %s: one is lost at hop %d: %s", t.name, clock(v.Start*1000), loss.hop, said(v))
	}
}

// standing sees that windows without a verdict up to where all is settled had no message.
func (d *day) standing(t *dayTopic, s *compare.Standing) {
	if old := t.standing; old != nil && s.Until < old.Until {
		d.fail(wrongOrder, "%s: settled up to %s, and then up to %s", t.name, clock(old.Until*1000), clock(s.Until*1000))
	}
	t.standing = s
	for w := t.made / 1000 / daySize * daySize; w+daySize <= s.Until; w += daySize {
		if t.count[w] > 0 && w >= s.Since && t.settledAt[w] == 0 {
			d.fail(falseComplete, "%s %s: no verdict settles it, and at %s all up to %s is said to be settled", t.name, clock(w*1000), clock(s.Judged), clock(s.Until*1000))
		}
	}
}

// check sees what there is in the end.
func (d *day) check() {
	for _, t := range d.topics {
		for w, n := range t.count {
			d.windows++
			v := t.verdicts[w]
			switch loss := t.lost[w]; {
			case v == nil || !v.State.Settled():
				d.fail(notSettled, "%s %s with %d messages is not settled", t.name, clock(w*1000), n)
			case loss != nil && v.Kind != compare.Missing && w*1000 < d.end-2*3_600_000:
				d.fail(missedFault, "%s %s: one is lost at hop %d: %s", t.name, clock(w*1000), loss.hop, said(v))
			case loss == nil && v.Tiers[0].Messages != n:
				d.fail(wrongNumber, "%s %s: %d messages: %s", t.name, clock(w*1000), n, said(v))
			}
		}
		if t.standing == nil || t.standing.Until < d.end/1000 {
			d.fail(notSettled, "%s is not settled to the end: %+v", t.name, t.standing)
		}
	}
}
