package torture

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// show prints the verdict of a run.
func (r *Result) show(out io.Writer) {
	fmt.Fprintf(out, "\nseed %d on %s, %s, %d messages\n", r.Seed, r.Kafka, r.Took.Round(time.Second), r.Messages)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "fault\ttimes")
	for _, name := range slices.Sorted(maps.Keys(r.Faults)) {
		fmt.Fprintf(t, "%s\t%d\n", name, r.Faults[name])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Left)) {
		fmt.Fprintf(t, "%s\tleft out: %s\n", name, r.Left[name])
	}
	fmt.Fprintln(t, "said by\tchecked\twrong")
	for _, name := range slices.Sorted(maps.Keys(r.Checked)) {
		fmt.Fprintf(t, "%s\t%d\t%d\n", name, r.Checked[name], len(r.Wrong[name]))
	}
	t.Flush()
	for _, name := range slices.Sorted(maps.Keys(r.Wrong)) {
		for i, text := range r.Wrong[name] {
			if i == 10 {
				fmt.Fprintf(out, "... and %d more by %s\n", len(r.Wrong[name])-i, name)
				break
			}
			fmt.Fprintf(out, "WRONG (%s): %s\n", name, strings.TrimSpace(text))
		}
	}
	if r.Err != nil {
		fmt.Fprintf(out, "not judged: %v\n", r.Err)
	}
}
