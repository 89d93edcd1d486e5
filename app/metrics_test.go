package app_test

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

var rewrite = flag.Bool("rewrite", false, "write the tables of docs/metrics.md anew")

// family is what /metrics says of the metrics of one name.
type family struct {
	help, kind string
	labels     map[string]map[string]bool // values by label
}

// families are those of chaperone, as a scraper sees them.
func (d *deployment) families() map[string]*family {
	resp, err := http.Get("http://" + d.app.Addr() + "/metrics")
	must(d.t, err)
	defer resp.Body.Close()
	all := map[string]*family{}
	of := func(name string) *family {
		if all[name] == nil {
			all[name] = &family{labels: map[string]map[string]bool{}}
		}
		return all[name]
	}
	for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
		words := strings.SplitN(scan.Text(), " ", 4)
		switch name, labels, _ := strings.Cut(words[0], "{"); {
		case words[0] == "#" && strings.HasPrefix(words[2], "chaperone_"):
			if words[1] == "HELP" {
				of(words[2]).help = words[3]
			} else {
				of(words[2]).kind = words[3]
			}
		case all[name] != nil && labels != "":
			for _, label := range strings.Split(strings.TrimSuffix(labels, "}"), ",") {
				label, value, _ := strings.Cut(label, "=")
				if of(name).labels[label] == nil {
					of(name).labels[label] = map[string]bool{}
				}
				of(name).labels[label][strings.Trim(value, `"`)] = true
			}
		}
	}
	return all
}

// TestMetricsDocument holds docs/metrics.md against an instance that runs all
// parts, so that it lists what there is and nothing else. `make metrics` writes its
// tables anew.
func TestMetricsDocument(t *testing.T) {
	const document, begin, end = "../docs/metrics.md", "<!-- generated: begin -->\n", "<!-- generated: end -->"
	d := deployWith(t, kafkatest.Kfake(t), func(c *config.Config) {
		c.Store.Kind = config.Memory
		c.Alerts.Mode, c.Alerts.Notifiers = "shadow", []config.Notifier{{Name: "oncall", Kind: "webhook", URL: "http://127.0.0.1:1/"}}
	})
	all := d.families()
	var want strings.Builder
	part := ""
	for _, name := range slices.Sorted(maps.Keys(all)) {
		f := all[name]
		if len(f.help) < 10 {
			t.Errorf("%s is not explained: %q", name, f.help)
		}
		if p := strings.Split(name, "_")[1]; p != part {
			fmt.Fprintf(&want, "### %s\n\n| Metric | Type | Meaning |\n|---|---|---|\n", p)
			part = p
		}
		labels := ""
		for _, label := range slices.Sorted(maps.Keys(f.labels)) {
			labels += fmt.Sprintf(" By `%s`: %s.", label, strings.Join(slices.Sorted(maps.Keys(f.labels[label])), ", "))
		}
		fmt.Fprintf(&want, "| `%s` | %s | %s%s |\n", name, f.kind, f.help, labels)
	}
	if len(all) < 30 {
		t.Fatalf("only %d metrics found", len(all))
	}
	tables := strings.TrimSpace(strings.ReplaceAll(want.String(), "\n###", "\n\n###")) + "\n"
	text, err := os.ReadFile(document)
	must(t, err)
	before, rest, ok1 := strings.Cut(string(text), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s lacks %q or %q", document, begin, end)
	}
	if !*rewrite {
		if old != tables {
			t.Fatalf("the tables of %s are not what an instance says.\nTry: make metrics", document)
		}
		return
	}
	must(t, os.WriteFile(document, []byte(before+begin+tables+end+after), 0o644))
}
