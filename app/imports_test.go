package app

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/chaperone-audit/chaperone/"

// may says what a package may import of ours, longest prefix first. Dependencies
// point one way: cmd, app, the rest, codecs and query, audit. Siblings meet in app.
var may = []struct {
	from string
	to   []string
}{
	{"audit/reportertest", []string{"audit"}},
	{"audit/auditsarama", []string{"audit"}},
	{"audit/auditfranz", []string{"audit"}},
	{"audit/auditkafkago", []string{"audit"}},
	{"audit/auditconfluent", []string{"audit"}},
	{"audit", nil},
	{"codecs/learnt", []string{"codecs"}},
	{"codecs/registry", []string{"codecs"}},
	{"codecs/avro", []string{"audit", "codecs", "codecs/learnt"}},
	{"codecs/protobuf", []string{"audit", "codecs", "codecs/learnt"}},
	{"codecs/msgpack", []string{"audit", "codecs"}},
	{"codecs/cbor", []string{"audit", "codecs"}},
	{"codecs/all", []string{"codecs"}},
	{"codecs", []string{"audit"}},
	{"compare", []string{"audit"}},
	{"query", []string{"audit", "compare"}},
	{"config", []string{"alerts", "audit", "codecs", "compare", "processors", "query"}}, // processors: names and defaults of topics
	{"sinks/sinktest", []string{"audit", "compare", "query", "sinks"}},
	{"sinks", []string{"audit", "compare", "query", "sinks"}},
	{"processors/counter", []string{"audit"}},
	{"processors/logs", []string{"audit", "codecs", "processors/logs"}},
	{"processors/shards", []string{"internal/health"}},
	{"processors/settings", []string{"audit"}},
	{"processors/inbox", []string{"audit", "internal/health", "processors"}},
	{"processors/count", []string{"audit", "codecs", "internal/health", "processors"}},
	{"processors/collect", []string{"audit", "compare", "internal/aside", "internal/health", "processors"}},
	{"processors/sink", []string{"audit", "compare", "internal/aside", "internal/health", "processors", "query", "sinks"}},
	{"processors/alert", []string{"alerts", "audit", "compare", "internal/health", "processors", "query"}},
	{"processors", []string{"processors/shards"}},
	{"views", []string{"audit", "compare", "internal/health", "processors", "query"}},
	{"alerts/notify", []string{"alerts", "query"}},
	{"alerts", []string{"audit", "compare", "query"}},
	{"api", []string{"api", "audit", "compare", "internal/health", "query"}},
	{"internal/certify", []string{"api", "audit", "processors"}},
	{"internal/health", nil},
	{"internal/figures", nil},
	{"internal/aside", []string{"internal/health"}},
	{"internal/embedded", []string{"internal/embedded", "internal/health"}},
	{"internal/children", nil},
	{"internal/kafkatest", []string{"internal/embedded", "internal/kafkatest"}},
	{"internal/produce", []string{"audit", "audit/auditsarama"}},
}

// anything may be imported by those who put things together, or look from outside.
var anything = []string{"app", "cmd", "internal/demo", "internal/scenario", "internal/torture", "internal/truth", "internal/verify", "internal/bench", "internal/codecbench", "internal/judgebench",
	"internal/mirrortest", "audit/audittest", "examples"}

func TestDependenciesPointOneWay(t *testing.T) {
	checked := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		from, err := filepath.Rel("..", filepath.Dir(path))
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		checked++
		for _, spec := range file.Imports {
			to, _ := strconv.Unquote(spec.Path.Value)
			if to, ours := strings.CutPrefix(to, module); ours && !allowed(from, to) {
				t.Errorf("%s imports %s: if that is right, say so in this test", path, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 50 {
		t.Fatalf("only %d files found: the test looks in the wrong place", checked)
	}
}

func allowed(from, to string) bool {
	if slices.ContainsFunc(anything, func(p string) bool { return within(from, p) }) {
		return true
	}
	for _, rule := range may {
		if within(from, rule.from) {
			return within(to, from) || slices.ContainsFunc(rule.to, func(p string) bool { return within(to, p) })
		}
	}
	return false
}

func within(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }
