package api

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// params reads the query of a request and gathers what is wrong with it. A
// parameter that nobody reads is wrong too: a misspelt filter must not give more
// than was asked for.
type params struct {
	values url.Values
	wrong  []string
}

func (p *params) problem(format string, args ...any) {
	p.wrong = append(p.wrong, fmt.Sprintf(format, args...))
}

// take reads a parameter that may be there once.
func (p *params) take(name string) string {
	v := p.values[name]
	delete(p.values, name)
	switch len(v) {
	case 0:
		return ""
	case 1:
		return v[0]
	}
	p.problem("%s is given %d times", name, len(v))
	return ""
}

// err is everything that is wrong, nil if nothing is.
func (p *params) err() error {
	for name := range p.values {
		p.problem("%q is no parameter of this address", name)
	}
	if len(p.wrong) == 0 {
		return nil
	}
	slices.Sort(p.wrong)
	return problemf(v1.BadRequest, "%s.", strings.Join(p.wrong, "; "))
}

// defaultSpan is how far back an answer goes if nothing else is asked for.
const defaultSpan = 6 * time.Hour

// Years 0 to 9999, which RFC 3339 can write, in Unix seconds.
const (
	minTime = -62167219200
	maxTime = 253402300799
)

// span reads from and to, in Unix seconds.
func (p *params) span(now time.Time) (from, to int64) {
	to, ok := p.time("to")
	if !ok {
		to = now.Unix()
	}
	if from, ok = p.time("from"); !ok {
		from = max(to-int64(defaultSpan/time.Second), minTime)
	}
	if from > to {
		p.problem("from, %s, is after to, %s", instant(from).Format(time.RFC3339), instant(to).Format(time.RFC3339))
	}
	return from, to
}

func (p *params) time(name string) (sec int64, ok bool) {
	text := p.take(name)
	if text == "" {
		return 0, false
	}
	sec, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			p.problem("%s is %q and must be a time such as 2026-01-31T10:00:00Z, or Unix seconds", name, text)
			return 0, false
		}
		sec = t.Unix()
	}
	if sec < minTime || sec > maxTime {
		p.problem("%s is %d and must be a year from 0 to 9999; it is in seconds", name, sec)
		return 0, false
	}
	return sec, true
}

// window reads which window of a size, in seconds, is asked about: the one that holds a
// time, or, below 0, so many back, of which -1 is the last one that has ended.
func (p *params) window(now time.Time, size int64) (w audit.Window) {
	const mostBack = 100_000
	if n, err := strconv.ParseInt(p.values.Get("window"), 10, 64); err == nil && n < 0 && n >= -mostBack {
		p.take("window")
		w = audit.WindowAt(now.UnixMilli(), size)
		w.Start += n * size
		return w
	}
	at, ok := p.time("window")
	if !ok && len(p.wrong) == 0 {
		p.problem("window is missing; give a time that it holds, or -1 for the last one that has ended")
	}
	return audit.WindowAt(at*1000, size)
}

func (p *params) partition() *int32 {
	text := p.take("partition")
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		p.problem("partition is %q and must be a number from 0 up", text)
		return nil
	}
	i := int32(n)
	return &i
}

// by reads what to tell apart: separated by commas, or several times.
func (p *params) by() (by []query.Dimension) {
	for _, list := range p.values["by"] {
		for name := range strings.SplitSeq(list, ",") {
			switch d := query.Dimension(strings.TrimSpace(name)); d {
			case query.ByDatacenter, query.ByCluster, query.ByPartition:
				if !slices.Contains(by, d) {
					by = append(by, d)
				}
			case "":
			default:
				p.problem("by has %q and must be some of datacenter, cluster, partition", name)
			}
		}
	}
	delete(p.values, "by")
	return by
}

// states reads the states of instances that are asked for, as by reads dimensions; nil
// for all.
func (p *params) states() (states []query.State) {
	for _, list := range p.values["state"] {
		for name := range strings.SplitSeq(list, ",") {
			switch state := query.State(strings.TrimSpace(name)); state {
			case query.Running, query.Ended, query.Silent:
				states = append(states, state)
			case "":
			default:
				p.problem("state has %q and must be some of running, ended, silent", name)
			}
		}
	}
	delete(p.values, "state")
	return states
}

// kinds reads the verdicts that are asked for, as by reads dimensions; nil for all.
func (p *params) kinds() (kinds []compare.Kind) {
	for _, list := range p.values["verdict"] {
		for name := range strings.SplitSeq(list, ",") {
			switch kind := compare.Kind(strings.TrimSpace(name)); {
			case slices.Contains(compare.Kinds(), kind):
				kinds = append(kinds, kind)
			case kind != "":
				p.problem("verdict has %q and must be some of missing, altered, duplicated, unknown, late, complete", name)
			}
		}
	}
	delete(p.values, "verdict")
	return kinds
}

// threshold reads how much has to be complete: all of it, if nothing is said.
func (p *params) threshold() float64 {
	text := p.take("threshold")
	if text == "" {
		return 1
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		p.problem("threshold is %q and must be a number from 0 to 1", text)
	}
	return f
}

// mostWait bounds how long a request may wait for something to happen.
const mostWait = time.Minute

func (p *params) wait() time.Duration {
	text := p.take("wait")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > mostWait {
		p.problem("wait is %q and must be a duration such as 30s, at most %s", text, mostWait)
	}
	return d
}

var topicChars = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// topic says whether a name can be that of a Kafka topic; "" for none given.
func (p *params) topic(name string) string {
	if err := checkTopic(name); name != "" && err != nil {
		p.problem("%v", err)
	}
	return name
}

func checkTopic(name string) error {
	if name == "." || name == ".." || !topicChars.MatchString(name) {
		return fmt.Errorf("topic is %q and must be 1 to 249 letters, digits, '.', '_' and '-'", name)
	}
	return nil
}

func instant(sec int64) time.Time { return time.Unix(sec, 0).UTC() }
