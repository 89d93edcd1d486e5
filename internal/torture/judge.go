package torture

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/api/client"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/views"
)

// settleWithin is how long everything may take to become right when all faults
// are over; hold is how long it must stay so.
const (
	settleWithin = 2 * time.Minute
	hold         = 2 * time.Second
)

// judge compares until everything is right and stays so, or the time is over.
func (w *world) judge(ctx context.Context, r *Result, view *views.Sources) error {
	limit, cancel := context.WithTimeout(ctx, settleWithin)
	found, err := w.recount(limit)
	cancel()
	if err != nil {
		return err
	}
	w.say("recounted; waiting until everybody agrees")
	wrong, silent, checked, err := w.settle(ctx, found, view)
	if err != nil {
		return err
	}
	for name, list := range wrong {
		for i := range list {
			r.Wrong[name] = append(r.Wrong[name], list[i].String())
		}
	}
	for name, failed := range silent {
		r.Wrong[name] = append(r.Wrong[name], fmt.Sprintf("it does not answer: %v", failed))
	}
	maps.Copy(r.Checked, checked)
	r.Loose = w.loose
	// Every record that was ever said, whoever said it.
	if err := w.said.caughtUp(ctx, string(w.topology.AuditTopic())); err != nil {
		return err
	}
	w.lawful(r)
	w.honest(r)
	w.healthy(ctx, r)
	return nil
}

// settle asks all readers until none is wrong and that has lasted, or until it
// has taken too long. It gives the last answers, and why a reader gave none.
func (w *world) settle(ctx context.Context, found recounted, view *views.Sources) (wrong map[string][]difference, silent map[string]error, checked map[string]int, err error) {
	began := time.Now()
	var right time.Time // since when all are
	said := began
	for {
		wrong, silent, checked = w.ask(ctx, found, view)
		now := time.Now()
		bad := len(silent) > 0 || len(wrong) > 0
		switch {
		case bad && now.Sub(began) > settleWithin:
			return wrong, silent, checked, nil
		case bad:
			right = time.Time{}
		case right.IsZero():
			right = now
		case now.Sub(right) >= hold:
			return wrong, silent, checked, nil
		}
		if bad && now.Sub(said) > 5*time.Second {
			said = now
			w.say("not yet: %s %v", summary(wrong), silent)
		}
		select {
		case <-ctx.Done():
			return wrong, silent, checked, context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// ask asks every reader once.
func (w *world) ask(ctx context.Context, found recounted, view *views.Sources) (wrong map[string][]difference, silent map[string]error, checked map[string]int) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	want := w.expect(found, w.said)
	wrong, silent, checked = map[string][]difference{}, map[string]error{}, map[string]int{}
	w.loose = 0
	for _, e := range want {
		if !e.exact() {
			w.loose++
		}
	}
	for _, reader := range w.readers(view) {
		checked[reader.name] = len(want)
		got, err := reader.ask(ctx)
		if err != nil {
			silent[reader.name] = err
			continue
		}
		if list := compare(reader, got, want); len(list) > 0 {
			wrong[reader.name] = list
		}
	}
	return wrong, silent, checked
}

func summary(wrong map[string][]difference) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		parts = append(parts, fmt.Sprintf("%d windows by %s (%s)", len(wrong[name]), name, wrong[name][0].cell))
	}
	return strings.Join(parts, ", ")
}

// lawful checks the content of every record.
func (w *world) lawful(r *Result) {
	w.said.mu.Lock()
	said, unread := maps.Clone(w.said.statements), slices.Clone(w.said.unread)
	w.said.mu.Unlock()
	for src, statements := range said {
		w.mu.Lock()
		cuts := w.cuts[src.String()]
		w.mu.Unlock()
		if len(cuts) > 0 && !w.exact(src, cuts) || w.kind(src) == compacted {
			continue // what such a log says depends on when it is read
		}
		logs := [][]message{w.truth.log(src)}
		for _, cut := range cuts {
			logs = append(logs, cut.before)
		}
		r.Checked["law"] += len(statements)
		r.Wrong["law"] = append(r.Wrong["law"], law(src, logs, statements, windowsPerSegment)...)
	}
	r.Wrong["law"] = append(r.Wrong["law"], unread...)
}

// honest checks what was said to be missed: nothing where nothing can be, and
// something where something was.
func (w *world) honest(r *Result) {
	w.said.mu.Lock()
	for src, spans := range w.said.missed {
		for s, reason := range spans {
			r.Checked["missed ranges"]++
			if w.mayBeMissed(src, reason) {
				continue
			}
			r.Wrong["missed ranges"] = append(r.Wrong["missed ranges"], fmt.Sprintf("%s offsets %d to %d are said to be missed: %s; nothing happened to them", src, s.from, s.to, reason))
		}
	}
	w.said.mu.Unlock()
	r.Wrong["missed ranges"] = append(r.Wrong["missed ranges"], w.unsaid()...)
}

// mayBeMissed says whether something has happened to a source that may be said.
func (w *world) mayBeMissed(src audit.Source, reason audit.MissedReason) bool {
	switch w.kind(src) {
	case dropped:
		return reason == audit.MissedRetention
	case recreated:
		return reason == audit.MissedRecreated
	case unclean:
		w.mu.Lock()
		defer w.mu.Unlock()
		return reason == audit.MissedTruncated && len(w.cuts[src.String()]) > 0
	case compacted:
		// Who takes over from one that lives on reads another log than it does. Their
		// rows do not fit together, which the next recovery finds.
		return reason == audit.MissedDamaged
	}
	return false
}

// unsaid is what is not said and has to be, though no count shows it: that a log was
// cut; and of each topic that was made again that the end of the old one is unknown, if
// anything of it was counted. What retention took is not asked for: the counts are
// wrong by it if it is neither counted nor said.
func (w *world) unsaid() (wrong []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, src := range w.truth.list() {
		exact, seen := 0, 0
		for _, cut := range w.cuts[src.String()] {
			if !cut.counted || !w.cutsAreSeen() {
				continue
			}
			if seen++; slices.Contains(w.said.cutsOf(src), cut.from) {
				exact++
			}
			if !slices.ContainsFunc(w.said.cutsOf(src), func(from int64) bool { return from >= cut.from }) {
				wrong = append(wrong, fmt.Sprintf("%s was cut at %d, after more had been counted, and that is not said", src, cut.from))
			}
		}
		if seen > 0 && exact == 0 {
			wrong = append(wrong, fmt.Sprintf("%s was cut %d times, after more had been counted, and never is it said where", src, seen))
		}
		if w.gone[incarnation(src)] && w.said.upTo(src) >= 0 && !w.said.gone(src) {
			wrong = append(wrong, fmt.Sprintf("%s was deleted and made again, and that its end is unknown is not said", src))
		}
	}
	return wrong
}

// healthy wants all parts of all instances to be well again.
func (w *world) healthy(ctx context.Context, r *Result) {
	for _, name := range standing {
		r.Checked["health"]++
		if err := w.recovers(ctx, name); err != nil {
			r.Wrong["health"] = append(r.Wrong["health"], fmt.Sprintf("%s: %v", name, err))
		}
	}
}

// recovers waits until an instance is well.
func (w *world) recovers(ctx context.Context, name string) error {
	const patience = 20 * time.Second
	for began := time.Now(); ; {
		err := w.well(ctx, name)
		if err == nil || ctx.Err() != nil || time.Since(began) > patience {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (w *world) well(ctx context.Context, name string) error {
	address, err := w.child(name).Rest(ctx)
	if err != nil {
		return err
	}
	rest, err := client.New(address, &http.Client{Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	h, err := rest.Health(ctx)
	if err != nil {
		return err
	}
	for _, p := range h.Parts {
		if p.State != string(health.OK) {
			return fmt.Errorf("%s is %s: %s", p.Part, p.State, p.Reason)
		}
	}
	return nil
}

// alarms looks through the logs of all processes, also of those that were killed:
// no books may ever have been out, but where two generations overlap.
func (w *world) alarms(r *Result) {
	seen := map[string]bool{}
	for _, child := range w.children.List() {
		if seen[child.Log] {
			continue
		}
		seen[child.Log] = true
		r.Checked["books"]++
		text, err := os.ReadFile(child.Log)
		if err != nil {
			r.Wrong["books"] = append(r.Wrong["books"], err.Error())
			continue
		}
		for line := range bytes.Lines(text) {
			if bytes.Contains(line, []byte("do not balance")) && !bytes.Contains(line, []byte("kind=overlap")) && !bytes.Contains(line, []byte("may be counted twice")) {
				r.Wrong["books"] = append(r.Wrong["books"], fmt.Sprintf("%s: %s", child.Name, bytes.TrimSpace(line)))
			}
		}
	}
}
