package scenario

import (
	"strconv"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

// A command is what a line can say. Its usage is also what the line is held
// against: words in capitals stand for anything, others for themselves, those in
// brackets may be left out, a bar divides what is to be chosen from.
type command struct {
	usage   string
	do      func(*world, *args) error
	words   [][]string          // what each may be; nil for anything
	least   int                 // words that must be there
	options map[string][]string // what the value of each may be; nil for anything
	needed  []string            // options that must be there
}

func (c *command) parseUsage() {
	c.options = map[string][]string{}
	for _, u := range strings.Fields(c.usage)[1:] {
		needed := u[0] != '['
		u = strings.Trim(u, "[]")
		name, values, isOption := strings.Cut(u, "=")
		var allowed []string
		if !isOption {
			values = name
		}
		if strings.Contains(values, "|") && strings.ToLower(values) == values || !isOption && strings.ToLower(values) == values {
			allowed = strings.Split(values, "|")
		}
		switch {
		case isOption:
			c.options[name] = allowed
			if needed {
				c.needed = append(c.needed, name)
			}
		default:
			c.words = append(c.words, allowed)
			if needed {
				c.least++
			}
		}
	}
}

// commands are what a line can say, by their first word. The package comment
// tells what they do.
var commands = map[string]*command{}

func init() {
	for _, c := range []command{
		{usage: "clock TIME", do: (*world).setClock},
		{usage: "window DURATION", do: (*world).setWindow},
		{usage: "segment WINDOWS", do: (*world).setSegment},
		{usage: "horizon DURATION", do: (*world).setHorizon},
		{usage: "tier NAME [dc=NAME] [stamps=create|append]", do: (*world).declareTier},
		{usage: "topic NAME [partitions=3] [codec=json|record|undeclared] [from=TIME] [past=7d] [future=1h]", do: (*world).declareTopic},
		{usage: "begin earliest|latest|TIME", do: (*world).begin},
		{usage: "pipeline TIERS [grace=2m] [late=1h] [gone=15m] [bypassed=NONE] [allow=NONE] [because=NONE]", do: (*world).pipeline},

		{usage: "produce TOPIC [tier=FIRST] [n=1] [at=FROM..TO] [latency=D..D] [sent=FROM..TO] [size=100] [untimed=0] [malformed=0] [tombstones=0] " +
			"[keys=N] [partition=P] [transaction=commit|abort|open] [via=APP] [swallowed=0] [unanswered=0]", do: (*world).produce},
		{usage: "copy TOPIC FROM -> TO [n=ALL] [lose=0] [duplicate=0] [alter=0] [delay=0s]", do: (*world).copy},
		{usage: "original TOPIC tier=NAME [dc=NAME] [n=1] [at=TIME] [uuid=ANY] [times=1]", do: (*world).original},
		{usage: "end TOPIC commit|abort [tier=FIRST]", do: (*world).end},
		{usage: "app NAME start|end|vanish [tier=NAME] [dc=NAME]", do: (*world).application},
		{usage: "retention TOPIC [tier=FIRST] [drop=ALL]", do: (*world).retention},
		{usage: "truncate TOPIC [tier=FIRST] [drop=ALL]", do: (*world).truncate},
		{usage: "compact TOPIC [tier=FIRST]", do: (*world).compact},
		{usage: "delete TOPIC [tier=FIRST]", do: (*world).deleteTopic},
		{usage: "recreate TOPIC [tier=FIRST]", do: (*world).recreate},
		{usage: "partitions TOPIC N [tier=FIRST]", do: (*world).addPartitions},

		{usage: "count [n=ALL] [tier=ALL]", do: (*world).count},
		{usage: "flush", do: (*world).flush},
		{usage: "collect", do: (*world).collect},
		{usage: "rebalance", do: (*world).rebalance},
		{usage: "stop count|collect", do: (*world).stop},
		{usage: "start count|collect", do: (*world).startAgain},
		{usage: "crash count|collect [after=table|rows|ledger]", do: (*world).crash},
		{usage: "pause count [after=table|rows|ledger]", do: (*world).pause},
		{usage: "wake count [n=ALL]", do: (*world).wake},

		{usage: "advance DURATION", do: (*world).advance},
		{usage: verbShow + " [table|datacenters|detail|partitions|sources|stored|history|verdicts]", do: (*world).show},
	} {
		c.parseUsage()
		verb, _, _ := strings.Cut(c.usage, " ")
		commands[verb] = &c
	}
}

const verbShow = "show"

// untouched fails once there is a topic: what is configured holds for all of it.
func (w *world) untouched(a *args) error {
	if w.made > 0 {
		return a.fail("%s comes before the first message", a.verb)
	}
	return nil
}

func (w *world) setClock(a *args) error {
	at, err := parseTime(a.word(0), w.clock)
	if err != nil {
		return a.fail("%q: %s", a.word(0), timeForms)
	}
	if at < w.clock && w.made > 0 {
		return a.fail("the clock does not go back")
	}
	w.clock = at
	return nil
}

func (w *world) setWindow(a *args) error {
	size, err := parseDuration(a.word(0))
	if err != nil {
		return a.fail("%q: want a duration such as 10m", a.word(0))
	}
	if err := audit.CheckWindowSize(size); err != nil {
		return a.fail("%v", err)
	}
	w.size = size
	return w.untouched(a)
}

func (w *world) setSegment(a *args) error {
	n, err := strconv.Atoi(a.word(0))
	if err != nil || n < 1 || n > 10_000 {
		return a.fail("%q: want the most windows in a segment, at least 1", a.word(0))
	}
	w.segments = n
	return w.untouched(a)
}

func (w *world) setHorizon(a *args) error {
	d, err := parseDuration(a.word(0))
	if err != nil || d < time.Minute {
		return a.fail("%q: want a duration of at least 1m", a.word(0))
	}
	if w.horizon = d; w.collector != nil {
		if err := w.startCollecting(); err != nil {
			return err
		}
	}
	return w.untouched(a)
}

func (w *world) stop(a *args) error {
	if a.word(0) == "collect" {
		if w.collector == nil {
			return a.fail("the collecting processor is stopped")
		}
		for p := range w.collector.machines {
			w.collector.store(p, everything)
		}
		w.collector = nil
		return nil
	}
	s, err := w.running(a)
	if err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	w.current = nil
	return nil
}

func (w *world) startAgain(a *args) error {
	switch {
	case a.word(0) == "collect" && w.collector == nil:
		return w.startCollecting()
	case a.word(0) == "count" && w.current == nil:
		return w.startCounting()
	}
	return a.fail("it runs; write first: stop %s", a.word(0))
}

func (w *world) crash(a *args) error {
	if a.word(0) == "count" {
		_, err := w.strike(a)
		return err
	}
	if after := a.options["after"]; after != "" && after != "table" {
		return a.fail("after=%s: collecting writes nothing but its table; want after=table, or nothing", after)
	}
	return w.crashCollecting(a)
}
