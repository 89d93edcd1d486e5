package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/zeebo/xxh3"
)

// Files has the schemas that were in a folder when it was made:
//
//	17.avsc               the schema with number 17
//	18.proto              may import common/money.proto
//	19.json
//	common/money.proto    has no number: for imports only
//
// Only .proto files may have other names than numbers, or be in subfolders. They
// import each other by their paths in the folder. Files and folders whose names
// begin with a dot are passed over.
type Files struct {
	name, path string
	missing    Missing
	schemas    map[uint32]codecs.Schema
	digest     string
}

var _ codecs.Registry = (*Files)(nil)

// Dir reads the folder at a path; name is the name in the configuration, for
// messages. Its error says what is wrong with each file.
func Dir(name, path string, missing Missing) (*Files, error) {
	missing, err := missing.orDefault()
	if err != nil {
		return nil, err
	}
	read := reading{folder: os.DirFS(path), ids: map[uint32]string{}, files: map[string]sr.Schema{}}
	if err := fs.WalkDir(read.folder, ".", read.entry); err != nil {
		return nil, fmt.Errorf("read schemas of %s: %w", path, err)
	}
	f := &Files{name: name, path: path, missing: missing, schemas: map[uint32]codecs.Schema{}, digest: fmt.Sprintf("%08x", uint32(read.hash.Sum64()))}
	if len(read.ids) == 0 {
		read.problem("there is no file such as 17.avsc, 17.proto or 17.json")
	}
	whole := len(read.problems) == 0 // or what is wrong with one file would be said of all that import it
	for _, id := range slices.Sorted(maps.Keys(read.ids)) {
		s, err := resolve(read.files[read.ids[id]], read.imported)
		if err != nil && whole {
			read.problem("%s: %w", read.ids[id], err)
		}
		f.schemas[id] = s
	}
	if len(read.problems) > 0 {
		return nil, fmt.Errorf("schemas of %s: %w", path, errors.Join(read.problems...))
	}
	return f, nil
}

// Schema gives the schema that is in the file with this number.
func (f *Files) Schema(_ context.Context, id uint32) (codecs.Schema, error) {
	if s, ok := f.schemas[id]; ok {
		return s, nil
	}
	return codecs.Schema{}, f.missing.err(fmt.Sprintf("schema id %d has no file in %s of registry %s", id, f.path, f.name),
		"until it has one and this program has been restarted")
}

// Digest is a short hash of the files, on which what codecs make of messages
// depends.
func (f *Files) Digest() string { return f.digest }

// A reading is a folder as far as it has been read.
type reading struct {
	folder   fs.FS
	ids      map[uint32]string    // names of the files with numbers
	files    map[string]sr.Schema // by path
	hash     xxh3.Hasher
	problems []error
}

// enoughProblems is when it is likely to be the wrong folder.
const enoughProblems = 10

func (r *reading) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf(format, args...))
}

// entry takes up one file; they come in the order of their paths.
func (r *reading) entry(file string, entry fs.DirEntry, err error) error {
	switch hidden := file != "." && strings.HasPrefix(entry.Name(), "."); {
	case err != nil:
		return err
	case hidden && entry.IsDir():
		return fs.SkipDir
	case hidden || entry.IsDir():
		return nil
	case len(r.problems) >= enoughProblems:
		return fs.SkipAll
	}
	if err := r.number(file); err != nil {
		r.problem("%s: %w", file, err)
		return nil
	}
	text, err := fs.ReadFile(r.folder, file)
	if err != nil {
		return err
	}
	if len(text) == 0 {
		r.problem("%s: is empty", file)
	}
	s := sr.Schema{Schema: string(text), Type: types[path.Ext(file)]}
	if s.Type == sr.TypeProtobuf {
		s.References = imports(s.Schema)
	}
	r.files[file] = s
	for _, part := range []string{file, s.Schema} {
		_, _ = r.hash.WriteString(strconv.Itoa(len(part)) + ":" + part) // so that no two folders give the same bytes
	}
	return nil
}

// types of schemas, by the extension of their files.
var types = map[string]sr.SchemaType{".avsc": sr.TypeAvro, ".proto": sr.TypeProtobuf, ".json": sr.TypeJSON}

// number notes the number of a file, and refuses files that must have one.
func (r *reading) number(file string) error {
	ext := path.Ext(file)
	if _, ok := types[ext]; !ok {
		return errors.New("must be .avsc, .proto or .json")
	}
	id, err := strconv.ParseUint(strings.TrimSuffix(file, ext), 10, 32)
	switch other, two := r.ids[uint32(id)]; {
	case err != nil && ext == ".proto":
		return nil
	case err != nil:
		return fmt.Errorf("must be named for the number of a schema, such as 17%s", ext)
	case two:
		return fmt.Errorf("has the same number as %s", other)
	}
	r.ids[uint32(id)] = file
	return nil
}

// imported gives a file that another one imports.
func (r *reading) imported(ref sr.SchemaReference) (sr.Schema, error) {
	s, ok := r.files[ref.Name]
	if !ok {
		return sr.Schema{}, fmt.Errorf("needs %s, which is not there", ref.Name)
	}
	return s, nil
}
