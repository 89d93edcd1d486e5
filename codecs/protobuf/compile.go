package protobuf

import (
	"context"
	"embed"
	"fmt"
	"io"
	"path"
	"sync/atomic"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/chaperone-audit/chaperone/codecs"
)

// imports are what schemas in Confluent's registry import without a reference.
//
//go:embed imports
var imports embed.FS

// resolver looks for a file among those that protoc brings, then by open, then
// among imports. That order keeps google.protobuf.Timestamp what we take it for.
func resolver(open func(name string) (io.ReadCloser, error)) protocompile.Resolver {
	none := protocompile.ResolverFunc(func(name string) (protocompile.SearchResult, error) {
		return protocompile.SearchResult{}, fmt.Errorf("%s is neither a standard import nor among what the schema comes with", name)
	})
	return protocompile.CompositeResolver{
		protocompile.WithStandardImports(none),
		&protocompile.SourceResolver{Accessor: open},
		&protocompile.SourceResolver{Accessor: func(name string) (io.ReadCloser, error) {
			return imports.Open(path.Join("imports", name))
		}},
	}
}

// A messageType is one of a schema as the codec needs it, by its index: what stands
// for the schema itself has the types at its top nested in it. Of one without a plan
// it is told, when the first message comes, why it has none.
type messageType struct {
	plan   plan
	nested []*messageType
	lacks  string
	told   atomic.Bool
}

// compileSchema makes plans for all message types of a schema. There are no more than
// it declares, whatever indexes messages have.
func compileSchema(id uint32, s codecs.Schema, f codecs.Fields) (*messageType, error) {
	root := fmt.Sprintf("schema %d", id) // begins errors, before line and column
	sources := map[string]string{}
	for _, n := range s.Needs {
		sources[n.Name] = n.Text
	}
	sources[root] = s.Text
	c := protocompile.Compiler{Resolver: resolver(protocompile.SourceAccessorFromMap(sources))}
	out, err := c.Compile(context.Background(), root)
	if err != nil {
		return nil, err
	}
	return &messageType{nested: messageTypes(out[0].Messages(), f)}, nil
}

func messageTypes(all protoreflect.MessageDescriptors, f codecs.Fields) (list []*messageType) {
	for i := range all.Len() {
		m := all.Get(i)
		t := &messageType{nested: messageTypes(m.Messages(), f)}
		t.plan, t.lacks = newPlan(m, f)
		list = append(list, t)
	}
	return list
}
