package registry

import (
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"
)

var (
	// comments are found along with strings, which may hold what looks like one.
	comments = regexp.MustCompile(`(?s)"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|//[^\n]*|/\*.*?\*/`)
	imported = regexp.MustCompile(`(?m)(?:^|[;}])\s*import\s*(?:(?:public|weak|option)\s*)?(?:"([^"\n]+)"|'([^'\n]+)')\s*;`)
)

// imports lists what a .proto file imports. Whoever compiles it finds the errors;
// here nothing is needed of the language but its import lines.
func imports(proto string) (refs []sr.SchemaReference) {
	proto = comments.ReplaceAllStringFunc(proto, func(s string) string {
		if s[0] == '/' {
			return " "
		}
		return s
	})
	for _, m := range imported.FindAllStringSubmatch(proto, -1) {
		name := m[1] + m[2]
		if strings.HasPrefix(name, "google/protobuf/") {
			continue // every compiler has these
		}
		refs = append(refs, sr.SchemaReference{Name: name})
	}
	return refs
}
