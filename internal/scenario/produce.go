package scenario

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// budget bounds the messages that a script makes, over all.
const budget = 100_000

// produce writes messages with event times spread over a time.
func (w *world) produce(a *args) error {
	p, err := w.place(a, a.options["tier"])
	if err != nil {
		return err
	}
	t := w.topicAt(p, a.word(0))
	d := w.declared[t.name]
	n := a.number("n", 1, 1, 10_000)
	at, latency := a.times("at"), a.durations("latency")
	sent := span{-1, -1}
	if a.options["sent"] != "never" {
		sent = a.times("sent")
	}
	if a.has("sent") && a.has("latency") {
		return a.fail("sent and latency exclude each other: sent = at + latency")
	}
	size, keys, partition := a.number("size", 100, 60, 10_000), a.number("keys", 0, 1, 10_000), a.number("partition", -1, 0, 63)
	pick := picker{n: n}
	untimed, malformed, tombstones := pick.some(a, "untimed"), pick.some(a, "malformed"), pick.some(a, "tombstones")
	swallowed, unanswered := pick.some(a, "swallowed"), pick.some(a, "unanswered")
	via := w.apps[a.options["via"]]
	if via == nil && a.has("via") {
		return a.fail("there is no app %q; write first: app %s start tier=NAME", a.options["via"], a.options["via"])
	}
	if a.err != nil {
		return a.err
	}
	if w.messages += n; w.messages > budget {
		return a.fail("more than %d messages in a script", budget)
	}
	var of *transaction
	if a.has("transaction") {
		of = &transaction{first: map[*log]int64{}}
	}
	now := w.clock
	for i := range n {
		d.made++
		event := at.before(i, n)
		m := codecs.Message{Key: fmt.Appendf(nil, "%s-%d", d.name, d.made), Time: event + latency.at(i, n), TimeType: codecs.CreateTime}
		if keys > 0 {
			m.Key = fmt.Appendf(nil, "%s-%d", d.name, d.made%keys)
		}
		switch {
		case tombstones[i]:
		case malformed[i]:
			m.Value = value(size-len(m.Key), d.made, `"yesterday"`)
		case untimed[i]:
			m.Value = value(size-len(m.Key), d.made, "null")
		default:
			m.Value = value(size-len(m.Key), d.made, strconv.FormatInt(event, 10))
		}
		if a.has("sent") {
			m.Time = sent.before(i, n)
		}
		w.clock = max(w.clock, m.Time)
		if via != nil {
			if err := via.send(t.name, &m, event, !unanswered[i]); err != nil {
				return err
			}
			if swallowed[i] { // acknowledged, and not in the log
				continue
			}
		}
		if p.appends {
			m.Time, m.TimeType = max(now, m.Time), codecs.LogAppendTime
		}
		if to := partition; to >= 0 {
			t.put(to%len(t.partitions), m, of)
		} else {
			t.put(t.partitionOf(m.Key), m, of)
		}
	}
	if of != nil {
		t.open = append(t.open, of)
		if how := a.options["transaction"]; how != "open" {
			t.finish(of, how == "abort")
		}
	}
	return nil
}

// value is a JSON object of a size, with an event time as written.
func value(size, id int, ts string) []byte {
	v := fmt.Appendf(nil, `{"id":%d,"ts":%s,"pad":"`, id, ts)
	v = append(v, bytes.Repeat([]byte{'x'}, max(1, size-len(v)-2))...)
	return append(v, `"}`...)
}

func (t *topic) partitionOf(key []byte) int {
	return int(audit.Hash(key, nil) % uint64(len(t.partitions)))
}

// end ends the open transactions of a topic.
func (w *world) end(a *args) error {
	_, t, err := w.existing(a, 0)
	if err != nil {
		return err
	}
	if len(t.open) == 0 {
		return a.fail("no transaction of topic %s is open", t.name)
	}
	for _, x := range slices.Clone(t.open) {
		t.finish(x, a.word(1) == "abort")
	}
	return nil
}
