package avro

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"github.com/twmb/avro"
	"github.com/zeebo/xxh3"

	"github.com/chaperone-audit/chaperone/codecs"
)

// A file is a schema of a rule.
type file struct {
	path   string
	text   string
	schema *avro.Schema
	root   *node
}

// readFiles reads the schemas of a rule, sorted by their content: what they mean to
// each other must not depend on how they are called.
func readFiles(r codecs.Rule, p *codecs.Problems) (files []*file) {
	switch {
	case len(r.Schemas) == 0:
		p.Add("schemas", "are needed by framing %s; name .avsc files", r.Framing)
	case len(r.Schemas) > 1 && r.Framing == raw:
		p.Add("schemas", "are %d files; framing raw has one schema for all messages", len(r.Schemas))
	}
	for _, path := range r.Schemas {
		text, err := os.ReadFile(path)
		if err != nil {
			p.Add("schemas", "%w", err)
			continue
		}
		files = append(files, &file{path: path, text: string(text)})
	}
	slices.SortStableFunc(files, func(a, b *file) int { return cmp.Compare(a.text, b.text) })
	parseFiles(files, p)
	return files
}

// parseFiles reads each for itself if it can be, since files often hold copies of
// the types that they share; the rest refer to types of others, in any order.
func parseFiles(files []*file, p *codecs.Problems) {
	var known avro.SchemaCache
	var rest []*file
	for _, f := range files {
		var err error
		if f.schema, err = parseIn(&avro.SchemaCache{}, f.text); err != nil {
			rest = append(rest, f)
			continue
		}
		_, _ = parseIn(&known, f.text) // an error means that its types are known
	}
	for before := -1; before != len(rest); {
		before = len(rest)
		rest = slices.DeleteFunc(rest, func(f *file) bool {
			var err error
			f.schema, err = parseIn(&known, f.text)
			return err == nil
		})
	}
	for _, f := range files {
		var err error
		if f.schema == nil {
			_, err = parseIn(&known, f.text)
		} else {
			f.root, err = newNode(f.schema)
		}
		if err != nil {
			p.Add("schemas", "%s: %w", f.path, err)
		}
	}
}

// digest is a short hash of what the files hold.
func digest(files []*file) string {
	h := xxh3.New()
	for _, f := range files {
		fmt.Fprintf(h, "%d\n%s", len(f.text), f.text)
	}
	return fmt.Sprintf("%08x", uint32(h.Sum64()>>32))
}

func (c *common) planFile(f *file) *plan {
	return c.planRoot("schema file "+f.path, f.root)
}
