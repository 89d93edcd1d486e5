package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/internal/figures"
	"github.com/chaperone-audit/chaperone/processors/collect/judge"
)

// judging is the CPU that the judge takes: first for all open windows of all topics at
// once, which is what one that has just started has to do, then for those that change
// while time passes.
type judging struct {
	topics, tiers, windows, sources, rounds int
}

func (o *judging) flags() {
	flag.IntVar(&o.topics, "judged-topics", 10_000, "topics that are judged")
	flag.IntVar(&o.tiers, "tiers", 4, "tiers of each")
	flag.IntVar(&o.windows, "open-windows", 6, "windows of each that are open")
	flag.IntVar(&o.sources, "sources", 1, "partitions of each at a tier")
	flag.IntVar(&o.rounds, "judge-rounds", 5, "times that it is measured")
}

const windowSize = 600

// start of the first window, Unix seconds.
const start = 1_767_225_600

func (o *judging) measure(context.Context) error {
	var all, few, changed []float64
	for range o.rounds { // interleaved
		n, seconds, err := o.judge(o.topics)
		if err != nil {
			return err
		}
		all = append(all, seconds)
		m, small, err := o.judge(o.topics / 10)
		if err != nil {
			return err
		}
		few = append(few, (seconds/float64(n))/(small/float64(m)))
		part, err := o.judgeChanged(o.topics)
		if err != nil {
			return err
		}
		changed = append(changed, part)
	}
	what := fmt.Sprintf("s of CPU for %d topics x %d tiers x %d windows", o.topics, o.tiers, o.windows)
	figures.PrintMedian("judge-all", what, all, figures.AtMost(1))
	figures.PrintMedian("judge-changed", fmt.Sprintf("s of CPU when one topic in a hundred has changed, of %d", o.topics), changed, figures.AtMost(0.05))
	figures.PrintMedian("judge-flat", fmt.Sprintf("cost of a window among %d topics, against %d", o.topics, o.topics/10), few, figures.AtMost(1.5))
	return nil
}

// filled is a judge that knows counts of all windows and has judged none.
func (o *judging) filled(topics int) (*judge.Judge, []*judge.Part, error) {
	var clusters []compare.Cluster
	line := compare.Pipeline{Name: "main", Topics: []string{".*"}, Grace: compare.DefaultGrace, LateWithin: compare.DefaultLateWithin, GoneAfter: compare.DefaultGoneAfter}
	for t := range o.tiers {
		line.Tiers = append(line.Tiers, tierName(t))
		clusters = append(clusters, compare.Cluster{Name: tierName(t), Tier: tierName(t)})
	}
	plan, err := compare.NewPlan([]compare.Pipeline{line}, clusters)
	if err != nil {
		return nil, nil, err
	}
	j := judge.New(judge.Options{Plan: plan, Size: windowSize})
	j.Loaded(start * 1000)
	var parts []*judge.Part
	for i := range topics {
		for t := range o.tiers {
			for w := range o.windows {
				for s := range o.sources {
					parts = append(parts, j.Window(o.record(i, t, w, s, 100), nil, judge.Said{Appended: start * 1000, Offset: 1}))
				}
			}
			for version := int64(1); version <= 2; version++ {
				j.Record(o.progress(i, t, version), judge.Said{Appended: o.end(), Offset: 1})
			}
		}
	}
	return j, parts, nil
}

// end is when all windows have ended, Unix milliseconds.
func (o *judging) end() int64 { return (start + int64(o.windows)*windowSize) * 1000 }

// judge measures a judgement of everything.
func (o *judging) judge(topics int) (windows int, seconds float64, err error) {
	j, parts, err := o.filled(topics)
	if err != nil {
		return 0, 0, err
	}
	runtime.GC()
	begin := cpu()
	j.Advance(o.end()+1, 2)
	seconds = cpu() - begin
	verdicts, _ := j.Take()
	runtime.KeepAlive(parts)
	if len(verdicts) != topics*o.windows {
		return 0, 0, fmt.Errorf("%d verdicts of %d windows", len(verdicts), topics*o.windows)
	}
	for _, v := range verdicts {
		if v.Kind != compare.Complete || len(v.Tiers) != o.tiers {
			return 0, 0, fmt.Errorf("%s %s is %s at %d tiers", v.Topic, v.Window(), v.Kind, len(v.Tiers))
		}
	}
	return len(verdicts), seconds, nil
}

// judgeChanged measures a judgement when a message is lost in one topic of a hundred.
func (o *judging) judgeChanged(topics int) (seconds float64, err error) {
	j, parts, err := o.filled(topics)
	if err != nil {
		return 0, err
	}
	j.Advance(o.end()+1, 2)
	j.Take()
	perTopic := o.tiers * o.windows * o.sources
	for i := 0; i < topics; i += 100 {
		last := o.windows - 1 // provisional: what is final is judged anew only after a grace
		j.Window(o.record(i, 0, last, 0, 101), parts[i*perTopic+last*o.sources], judge.Said{Appended: o.end() + 2, Offset: 3})
	}
	runtime.GC()
	begin := cpu()
	j.Advance(o.end()+10_000, 4)
	seconds = cpu() - begin
	verdicts, _ := j.Take()
	if len(verdicts) != (topics+99)/100 {
		return 0, fmt.Errorf("%d verdicts, and %d windows have changed", len(verdicts), (topics+99)/100)
	}
	for _, v := range verdicts {
		if v.Kind != compare.Late || v.Findings[0].Reason != compare.Underway || v.Findings[0].Messages != 1 {
			return 0, errors.New("what the second tier lacks is not found: " + v.Topic)
		}
	}
	return seconds, nil
}

func tierName(t int) string { return fmt.Sprintf("tier-%d", t) }

func (o *judging) identity(topic, tier int) audit.Identity {
	return audit.Identity{Tier: tierName(tier), Cluster: tierName(tier), Topic: fmt.Sprintf("topic-%05d", topic), TopicID: audit.TopicID{1}}
}

// record has so many messages, the same at every tier as far as they go.
func (o *judging) record(topic, tier, window, source, messages int) *audit.Record {
	r := &audit.Record{Kind: audit.KindWindow, Identity: o.identity(topic, tier), Version: int64(messages),
		Tally: &audit.WindowTally{Last: int64(messages), TimeBasis: audit.BasisPayload, Digest: "d", FingerprintMode: audit.FingerprintMode}}
	r.Partition, r.Window = int32(source), audit.Window{Start: start + int64(window)*windowSize, Size: windowSize}
	for n := range messages {
		key := []byte{byte(n), byte(source), byte(window)}
		r.Tally.Add(&audit.Event{Bytes: 100, Hash: audit.Hash(key, key), Moment: audit.Moment(key, int64(n)), Latency: int64(n)})
	}
	return r
}

func (o *judging) progress(topic, tier int, version int64) *audit.Record {
	r := &audit.Record{Kind: audit.KindProgress, Identity: o.identity(topic, tier), Version: version, Owner: "o",
		Progress: &audit.Progress{AskedAfter: version - 1, Partitions: int32(o.sources)}}
	r.Partition, r.Instance = audit.NoPartition, "o"
	for s := range o.sources {
		r.Progress.Sources = append(r.Progress.Sources, audit.SourceProgress{Partition: int32(s), Next: 100, End: 100, HighWatermark: 100, LogStart: -1, CaughtUp: audit.CaughtUpYes})
	}
	return r
}

// cpu is the CPU that this process has taken, in seconds, garbage collection included.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return time.Duration(t.Nano()).Seconds() }
	return seconds(u.Utime) + seconds(u.Stime)
}
