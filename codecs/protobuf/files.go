package protobuf

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/zeebo/xxh3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// files are the schema files of a rule, in its order. Nothing else is read, so that
// their hash stands for all that decides.
type files []file

type file struct {
	path    string
	content []byte
}

// A message is a type out of files.
type message struct {
	desc protoreflect.MessageDescriptor
	hash string
}

func readFiles(paths []string) (list files, err error) {
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		list = append(list, file{p, b})
	}
	return list, nil
}

// hash is short, for the name of the codec: of contents, not of where they lie.
func (l files) hash() string {
	h := xxh3.New()
	for _, f := range l {
		fmt.Fprintf(h, "%d\n", len(f.content))
		h.Write(f.content)
	}
	return fmt.Sprintf("%08x", uint32(h.Sum64()>>32))
}

// find is the message type of that full name; nil if none of the files has it.
func (l files) find(name string) (protoreflect.MessageDescriptor, error) {
	full := protoreflect.FullName(name)
	for _, f := range l {
		in := l.compile
		if !f.isSource() {
			in = fromSet
		}
		types, err := in(f)
		if err != nil {
			return nil, err
		}
		if d, _ := types.FindDescriptorByName(full); d != nil {
			if m, ok := d.(protoreflect.MessageDescriptor); ok {
				return m, nil
			}
		}
	}
	return nil, nil
}

func (f *file) isSource() bool { return filepath.Ext(f.path) == ".proto" }

// byName finds the descriptors of a file.
type byName interface {
	FindDescriptorByName(protoreflect.FullName) (protoreflect.Descriptor, error)
}

func fromSet(f file) (byName, error) {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(f.content, &set); err != nil {
		return nil, fmt.Errorf("%s is neither called .proto nor a set of descriptors: %w", f.path, err)
	}
	types, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; was it written with protoc --include_imports?", f.path, err)
	}
	return types, nil
}

// compile compiles one source. What it imports is looked for among the files by the
// end of their paths, since where protoc would look is not known.
func (l files) compile(f file) (byName, error) {
	open := func(name string) (io.ReadCloser, error) {
		for _, g := range l {
			if path := filepath.ToSlash(g.path); g.isSource() && (path == name || strings.HasSuffix(path, "/"+name)) {
				return io.NopCloser(bytes.NewReader(g.content)), nil
			}
		}
		return nil, os.ErrNotExist
	}
	c := protocompile.Compiler{Resolver: resolver(open)}
	out, err := c.Compile(context.Background(), filepath.ToSlash(f.path))
	if err != nil {
		return nil, err
	}
	return out.AsResolver(), nil
}
