package avro_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	twmb "github.com/twmb/avro"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/avro"
)

// A registry has the schemas that are in it.
type registry map[uint32]codecs.Schema

func (r registry) Schema(_ context.Context, id uint32) (codecs.Schema, error) {
	s, ok := r[id]
	if !ok {
		return s, fmt.Errorf("404: %w", codecs.ErrNoSchema)
	}
	return s, nil
}

// framed is a datum in the framing of registries.
func framed(id uint32, datum []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), datum...)
}

// mustBuild makes the codec of a rule; what it has to say is in the log of the test.
func mustBuild(t testing.TB, r codecs.Rule, from codecs.Registry) codecs.Codec {
	t.Helper()
	env := &codecs.Env{Registries: map[string]codecs.Registry{"main": from}, Notice: func(s string) { t.Log(s) }}
	c, err := avro.Builder.Build(r, env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask learns what it must, and gives the time or else the status.
func ask(t testing.TB, c codecs.Codec, m *codecs.Message) any {
	t.Helper()
	ms, s := c.EventTime(m)
	if s == codecs.Unready {
		if err := c.(codecs.Learner).Learn(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		ms, s = c.EventTime(m)
	}
	if s == codecs.Found {
		return ms
	}
	return s
}

// mustWrite makes a file of a schema.
func mustWrite(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustParse(t testing.TB, schema string) *twmb.Schema {
	t.Helper()
	s, err := twmb.Parse(schema)
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return s
}

func mustEncode(t testing.TB, s *twmb.Schema, v any) []byte {
	t.Helper()
	b, err := s.Encode(v)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return b
}

// unhex reads hexadecimal digits with spaces between them.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}
