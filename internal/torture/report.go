package torture

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
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
	if r.Failed != "" {
		fmt.Fprintf(out, "not judged: %s\n", r.Failed)
	}
}

// Save keeps results in a file, for Load.
func Save(file string, results []*Result) error {
	text, err := json.MarshalIndent(results, "", "\t")
	if err != nil {
		return fmt.Errorf("save results: %w", err)
	}
	return os.WriteFile(file, text, 0o644)
}

// Load reads the results in a folder, by kind of Kafka and in order of their seeds.
func Load(dir string) (map[string][]*Result, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("load results: there are none in %s", dir)
	}
	all := map[string][]*Result{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		var results []*Result
		if err == nil {
			err = json.Unmarshal(text, &results)
		}
		if err != nil {
			return nil, fmt.Errorf("load results of %s: %w", file, err)
		}
		for _, r := range results {
			all[r.kind()] = append(all[r.kind()], r)
		}
	}
	for _, results := range all {
		slices.SortFunc(results, func(a, b *Result) int { return cmp.Compare(a.Seed, b.Seed) })
	}
	return all, nil
}

// kind is apache, apache-3 or kfake: runs of one kind are summed up together.
func (r *Result) kind() string {
	if r.Nodes > 1 {
		return fmt.Sprintf("%s-%d", r.Kafka, r.Nodes)
	}
	return r.Kafka
}
