package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/chaperone-audit/chaperone/api/client"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/compare"
)

// judged waits until the windows of all messages are final, and says of each whether its
// verdict is what was done to messages: all of it with its number, and nothing else.
func (x *answers) judged(ctx context.Context, truths *truths, out io.Writer) (right bool, err error) {
	deadline := time.Now().Add(patience)
	for {
		verdicts, missing, err := x.verdicts(ctx, truths)
		switch {
		case err != nil:
			return false, err
		case missing == "":
			return printVerdicts(verdicts, out), nil
		case time.Now().After(deadline):
			return false, fmt.Errorf("not final within %s: %s", patience, missing)
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// verdicts asks for all; missing names one that is not final.
func (x *answers) verdicts(ctx context.Context, truths *truths) (list []v1.Verdict, missing string, err error) {
	type place struct {
		topic  string
		window int64
	}
	wanted := map[place]bool{}
	first, last := int64(1<<62), int64(0)
	for c := range truths.table() {
		wanted[place{c.topic, c.window}] = true
		first, last = min(first, c.window), max(last, c.window)
	}
	for _, topic := range topics {
		answer, err := x.rest.Verdicts(ctx, client.Judged{Topic: topic, Span: client.Span{From: time.Unix(first, 0), To: time.Unix(last+1, 0)}})
		if err != nil {
			return nil, "", fmt.Errorf("ask REST for verdicts: %w", err)
		}
		for _, v := range answer.Verdicts {
			if v.State == string(compare.Final) || v.State == string(compare.Amended) {
				delete(wanted, place{topic, v.Start.Unix()})
			}
			list = append(list, v)
		}
	}
	for p := range wanted {
		missing = fmt.Sprintf("%s %s", p.topic, time.Unix(p.window, 0).UTC().Format("15:04:05"))
	}
	return list, missing, nil
}

// printVerdicts prints the verdicts that say something, and what is wrong with them.
func printVerdicts(list []v1.Verdict, out io.Writer) (right bool) {
	slices.SortFunc(list, func(a, b v1.Verdict) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Topic, b.Topic)) })
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	counts := map[string]int{}
	wrong := 0
	var slowest time.Duration
	for i := range list {
		v := &list[i]
		counts[v.Verdict]++
		if v.Final != nil {
			slowest = max(slowest, v.Final.Sub(v.End)-grace())
		}
		problem := fault.differs(v)
		if problem != "" {
			wrong++
		}
		if v.Verdict == string(compare.Complete) && problem == "" {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s %s\t%s\n", v.Topic, v.Start.UTC().Format("15:04:05"), v.State, v.Verdict, problem)
		for _, f := range v.Findings {
			fmt.Fprintf(w, "\t\t\t%s\n", f.Sentence)
		}
	}
	_ = w.Flush()
	var all []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%d %s", counts[k], k))
	}
	fmt.Fprintf(out, "verdicts of %d windows: %s; the last was final %s after its grace; %d not what was done\n\n",
		len(list), strings.Join(all, ", "), slowest.Round(100*time.Millisecond), wrong)
	return wrong == 0
}

// differs says in what a verdict is not what was done to messages. Where more messages
// differ than can be told apart, numbers are too low, and some may not be said.
func (f *faults) differs(v *v1.Verdict) string {
	from, to := f.pair()
	done := f.injected(v.Topic, v.Start.Unix())
	left := maps.Clone(done)
	var problems []string
	inexact := false
	for _, x := range v.Findings {
		n, ok := done[x.Kind]
		switch {
		case x.From != from || x.To != to || !ok:
			if f.delay == 0 { // then more is late than was done
				problems = append(problems, fmt.Sprintf("NOT DONE: %d %s from %s to %s", x.Messages, x.Kind, x.From, x.To))
			}
			continue
		case x.Bound == "" && x.Messages != n, x.Messages > n, x.Messages == 0:
			problems = append(problems, fmt.Sprintf("SHOULD BE %d %s", n, x.Kind))
		}
		inexact = inexact || x.Bound != ""
		delete(left, x.Kind)
	}
	for kind, n := range left {
		if !inexact {
			problems = append(problems, fmt.Sprintf("NOT FOUND: %d %s", n, kind))
		}
	}
	return strings.Join(problems, "; ")
}
