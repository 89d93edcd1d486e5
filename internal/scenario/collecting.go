package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/collect/judge"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// auditPartitions is what the audit topic has. A record without a key may come
// into any of them.
const auditPartitions = 2

// An auditRecord is a record on its way to the audit topic.
type auditRecord struct {
	key   string // empty: none
	value []byte
}

func encode(r *audit.Record) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode a record of %s: %w", r.Source(), err)
	}
	return b, nil
}

// emit sends a record to the audit topic.
func (w *world) emit(r *audit.Record) error {
	value, err := encode(r)
	if err != nil {
		return err
	}
	w.send(r.Key(), value)
	return nil
}

func (w *world) send(key string, value []byte) {
	if w.vary.is(Reorder) {
		w.pool = append(w.pool, auditRecord{key, value})
		return
	}
	w.append(key, value)
}

// append is what the broker does: it stamps the record with its own time.
func (w *world) append(key string, value []byte) {
	partition, m := 0, collect.Message{Appended: w.clock, Value: value}
	if key == "" { // any will do
		for _, log := range w.audit {
			partition = (partition + len(log)) % auditPartitions
		}
	} else {
		partition, m.Key = int(shards.PartitionOf(key, auditPartitions)), []byte(key)
	}
	if r, err := w.decode(value); err == nil && r.Kind == audit.KindProgress {
		w.arrived[r.IdentityKey()] = max(w.arrived[r.IdentityKey()], r.Version)
	}
	m.Offset = int64(len(w.audit[partition]))
	w.audit[partition] = append(w.audit[partition], m)
}

// deliver lets n of the records on their way arrive, in any order, and some of
// them again later.
func (w *world) deliver(n int) {
	for ; n > 0 && len(w.pool) > 0; n-- {
		i := w.vary.IntN(len(w.pool))
		r := w.pool[i]
		w.append(r.key, r.value)
		if w.vary.IntN(4) > 0 {
			w.pool = slices.Delete(w.pool, i, i+1)
		}
	}
}

// A collector is a session of the collecting processor, with all partitions.
type collector struct {
	w        *world
	machines [auditPartitions]*collect.Machine
	at       [auditPartitions]int64
}

func (w *world) startCollecting() error {
	w.owners++
	c := &collector{w: w, at: w.committed}
	for p := range c.machines {
		c.machines[p] = collect.NewMachine(collect.MachineOptions{
			Owner: fmt.Sprint("collect-", w.owners), Start: w.committed[p], Partition: int32(p), Partitions: auditPartitions, Horizon: w.horizon,
			Judge: judge.Options{Plan: w.plan, Size: int64(w.size.Seconds())},
		})
	}
	for key, value := range w.collected {
		if err := c.machines[shards.PartitionOf(key, auditPartitions)].Load(key, value); err != nil {
			return err
		}
	}
	w.collector = c
	return nil
}

// apply takes up to n records of a partition.
func (c *collector) apply(p, n int) error {
	log := c.w.audit[p]
	for ; n > 0 && c.at[p] < int64(len(log)); n-- {
		out, err := c.machines[p].Apply(log[c.at[p]])
		if err != nil {
			return err
		}
		c.w.beyond = c.w.beyond || out == collect.Beyond
		c.at[p]++
	}
	return nil
}

// store writes what a machine has for the table, up to n writes, and if that is
// all commits the position and tells the machine.
func (c *collector) store(p, n int) {
	changes := c.machines[p].Take()
	if c.w.commitEarly && changes.Next >= 0 {
		c.w.committed[p] = changes.Next
	}
	for i, m := range changes.Writes {
		switch {
		case i == n:
			return
		case m.Value == nil:
			c.w.send(m.EmitKey, m.Emit)
		default:
			c.w.collected[m.Key] = m.Value
			c.w.see(m.Key, m.Emit)
		}
	}
	if n <= len(changes.Writes) {
		return
	}
	for _, key := range changes.Deletes {
		delete(c.w.collected, key)
	}
	if changes.Next >= 0 {
		c.w.committed[p] = changes.Next
	}
	c.machines[p].Acked(changes, true)
}

// settle collects everything.
func (c *collector) settle() error {
	for range 10 { // what came under a wrong key is emitted again
		rest := 0
		for p, m := range c.machines {
			if err := c.apply(p, len(c.w.audit[p])); err != nil {
				return err
			}
			c.store(p, everything)
			c.w.deliver(len(c.w.pool))
			n, _ := m.Pending()
			rest += n + m.Deletable() + len(c.w.pool)
		}
		for p := range c.machines {
			rest += len(c.w.audit[p]) - int(c.at[p])
		}
		if rest == 0 {
			return nil
		}
	}
	return errors.New("the collecting processor does not come to an end")
}

const everything = 1 << 40

func (w *world) collect(a *args) error {
	if w.collector == nil {
		return a.fail("the collecting processor is stopped; write first: start collect")
	}
	return w.collector.settle()
}

func (w *world) crashCollecting(a *args) error {
	c := w.collector
	if c == nil {
		return a.fail("the collecting processor is stopped; write first: start collect")
	}
	w.collector = nil
	if !a.has("after") {
		return nil
	}
	for p := range c.machines {
		if err := c.apply(p, len(w.audit[p])); err != nil {
			return err
		}
		n, _ := c.machines[p].Pending()
		c.store(p, n) // all that it has, and no commit
	}
	return nil
}

// original reports a count as the original Chaperone's client does.
func (w *world) original(a *args) error {
	at := a.times("at").from
	n, times := a.number("n", 1, 0, budget), a.number("times", 1, 1, 100)
	if a.err != nil {
		return a.err
	}
	w.noteTier(a.options["tier"])
	w.noteTopic(a.word(0))
	w.made++
	uuid := a.options["uuid"]
	if uuid == "" {
		uuid = fmt.Sprintf("00000000-0000-4000-8000-%012d", w.made)
	}
	window := audit.WindowAt(at, int64(w.size.Seconds()))
	seconds := func(s int64) string { return strconv.FormatFloat(float64(s), 'E', -1, 64) } // as Java writes a double
	record := fmt.Appendf(nil, `{"count":%d,"datacenter":%q,"hostname":"web-1","latency95":2.4768267E1,"latency99":null,"maxLatency":25.5,"meanLatency":20,`+
		`"tier":%q,"timeBeginInSec":%s,"timeEndInSec":%s,"topicName":%q,"uuid":%q}`,
		n, a.options["dc"], a.options["tier"], seconds(window.Start), seconds(window.End()), a.word(0), uuid)
	for range times {
		w.send("", record)
	}
	return nil
}
