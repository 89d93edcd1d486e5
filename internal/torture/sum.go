package torture

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// A Summary is what several runs on one kind of Kafka say together.
type Summary struct {
	Kafka    string // kind: apache, apache-3 with three brokers, kfake
	Runs     int
	Messages int
	Checked  int // windows, by each of the four readers, and records
	Cells    int // windows alone, each once
	Loose    int // those of them whose truth is not known but for bounds
	Wrong    int
	Bad      []string // the runs with which not all was well, with what reproduces them
	unjudged []string // seeds of runs that are in none of the numbers
	first    uint64
	last     uint64
	faults   map[string]*faultSum
	left     map[string]string
	by       map[string]*bySum
}

// faultSum is about the runs in which a fault happened.
type faultSum struct{ times, runs, cells, wrong int }

type bySum struct{ checked, wrong int }

// Sum sums up results.
func Sum(results []*Result) *Summary {
	s := &Summary{Kafka: results[0].kind(), first: results[0].Seed, faults: map[string]*faultSum{}, left: map[string]string{}, by: map[string]*bySum{}}
	for _, r := range results {
		s.last = r.Seed
		if !r.OK() {
			s.Bad = append(s.Bad, fmt.Sprintf("seed %d", r.Seed))
		}
		if r.Failed != "" {
			s.unjudged = append(s.unjudged, fmt.Sprint(r.Seed))
			continue
		}
		s.Runs++
		s.Messages += r.Messages
		s.Cells += r.Cells()
		s.Loose += r.Loose
		s.Wrong += r.Wrongs()
		for by, n := range r.Checked {
			s.at(by).checked += n
			s.Checked += n
		}
		for by, list := range r.Wrong {
			s.at(by).wrong += len(list)
		}
		for name, why := range r.Left {
			s.left[name] = why
		}
		for name, times := range r.Faults {
			f := s.faults[name]
			if f == nil {
				f = &faultSum{}
				s.faults[name] = f
			}
			f.times += times
			f.runs++
			f.cells += r.Cells()
			f.wrong += r.Wrongs()
		}
	}
	return s
}

func (s *Summary) at(by string) *bySum {
	if s.by[by] == nil {
		s.by[by] = &bySum{}
	}
	return s.by[by]
}

// order puts the faults in the order in which they are listed.
func (s *Summary) order() (names []string) {
	for _, name := range append(Names(), always...) {
		if s.faults[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

// always are what goes wrong all the time, and is in no lane.
var always = []string{"aborted-transactions"}

// Bound is an upper bound, with 95 % confidence, on the probability that a window
// is wrong, if none of n was and they were independent: 1 - 0.05^(1/n), about 3/n.
func Bound(n int) float64 { return 1 - math.Pow(0.05, 1/float64(n)) }

// String is the verdict of all runs.
func (s *Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d runs on %s, seeds %d to %d, %d messages\n", s.Runs, s.Kafka, s.first, s.last, s.Messages)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "fault\ttimes\twindows checked\twrong")
	for _, name := range s.order() {
		f := s.faults[name]
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\n", name, f.times, f.cells, f.wrong)
	}
	t.Flush()
	for _, bad := range s.Bad {
		fmt.Fprintf(&b, "bad: %s\n", bad)
	}
	return b.String()
}

// Write writes the table of this Kafka into a document, between the lines that
// mark its place there.
func (s *Summary) Write(file string) error {
	text, from, to, err := place(file, s.Kafka)
	if err != nil {
		return err
	}
	return os.WriteFile(file, slices.Concat(text[:from], []byte(s.markdown()), text[to:]), 0o644)
}

// CheckReport says before a run whether Write will find its place after it.
func CheckReport(file string, o *Options) error {
	r := Result{Kafka: o.Kafka, Nodes: o.Nodes}
	_, _, _, err := place(file, r.kind())
	return err
}

// place finds where the table of a kind of Kafka is in a document.
func place(file, kind string) (text []byte, from, to int, err error) {
	begin, end := fmt.Sprintf("<!-- torture %s: begin -->\n", kind), fmt.Sprintf("<!-- torture %s: end -->\n", kind)
	if text, err = os.ReadFile(file); err != nil {
		return nil, 0, 0, fmt.Errorf("--report: %w", err)
	}
	from, to = bytes.Index(text, []byte(begin)), bytes.Index(text, []byte(end))
	if from < 0 || to < from {
		return nil, 0, 0, fmt.Errorf("--report: %s has no lines %q and %q", file, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return text, from + len(begin), to, nil
}

func (s *Summary) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d runs, seeds %d to %d: %d messages, %d windows of partitions, %d wrong.", s.Runs, s.first, s.last, s.Messages, s.Cells, s.Wrong)
	if s.Loose > 0 {
		fmt.Fprintf(&b, " In %d of the windows messages were lost that may or may not have been counted before: they were checked against bounds.", s.Loose)
	}
	if exact := s.Cells - s.Loose; s.Wrong == 0 && exact > 0 {
		fmt.Fprintf(&b, " If windows went wrong independently of each other, fewer than %.2g of them would with 95 %% confidence (1 - 0.05^(1/%d)); faults hit many windows at once, so take it for an order of magnitude.", Bound(exact), exact)
	}
	if len(s.unjudged) > 0 {
		fmt.Fprintf(&b, " Not judged, and in none of the numbers: seeds %s.", strings.Join(s.unjudged, ", "))
	}
	b.WriteString("\n\n| fault | times injected | windows checked in runs with it | wrong |\n|---|---:|---:|---:|\n")
	for _, name := range s.order() {
		f := s.faults[name]
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", name, f.times, f.cells, f.wrong)
	}
	b.WriteString("\n| said by | checked | wrong |\n|---|---:|---:|\n")
	for _, by := range []string{"table", "view", "ClickHouse", "REST", "law", "missed ranges", "books", "health", "processes"} {
		if n := s.by[by]; n != nil {
			fmt.Fprintf(&b, "| %s | %d | %d |\n", by, n.checked, n.wrong)
		}
	}
	for name, why := range s.left {
		fmt.Fprintf(&b, "\nLeft out: %s (%s).\n", name, why)
	}
	return b.String()
}
