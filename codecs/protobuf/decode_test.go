package protobuf_test

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/chaperone-audit/chaperone/codecs"
)

// wire reads one or two fields of wire.M in every way.
type wire struct {
	rule   codecs.Rule
	raw    codecs.Codec
	framed codecs.Codec // the same from a registry, with the schema learnt
}

func loadWire(t testing.TB) (m protoreflect.MessageDescriptor, list []wire) {
	t.Helper()
	c := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{"testdata"}})}
	files, err := c.Compile(t.Context(), "wire.proto")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/wire.proto")
	if err != nil {
		t.Fatal(err)
	}
	env := &codecs.Env{Registries: map[string]codecs.Registry{
		"main": &registry{schemas: map[uint32]codecs.Schema{1: {Type: "PROTOBUF", Text: string(text)}}},
	}}
	for _, fields := range []string{
		"i32", "i64", "u32", "u64", "s32", "s64", "f32", "f64", "sf32", "sf64", "f", "d", "text", "at",
		"sub.i64", "sub.at", "sub.sub.at", "grp.i64", "grp.at", "sub.grp.at", "sub.text i64", "at i64", "at sub.at d",
	} {
		rule := codecs.Rule{Fields: strings.Fields(fields)}
		w := wire{rule: rule, framed: mustBuild(t, rule, env)}
		mustLearn(t, w.framed, &codecs.Message{Value: frame(nil)})
		rule.Framing, rule.Schemas, rule.Message = "raw", []string{"testdata/wire.proto"}, "wire.M"
		w.raw = mustBuild(t, rule, nil)
		list = append(list, w)
	}
	return files[0].Messages().ByName("M"), list
}

func frame(message []byte) []byte { return append([]byte{0, 0, 0, 0, 1, 0}, message...) }

func TestItAgreesWithAFullDecode(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	m, list := loadWire(t)
	seen := map[codecs.Status]int{}
	for range 5000 {
		b := randomMessage(rnd, 0)
		if rnd.IntN(8) == 0 && len(b) > 0 {
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		}
		agree(t, m, list, b, seen)
	}
	for _, s := range []codecs.Status{codecs.Found, codecs.None, codecs.Malformed} {
		if seen[s] < 1000 {
			t.Errorf("only %d answers are %s: the generator is too narrow", seen[s], s)
		}
	}
}

func FuzzNames(f *testing.F) {
	m, list := loadWire(f)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		f.Add(randomMessage(rnd, 0))
	}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, m, list, b, map[codecs.Status]int{}) })
}

// agree holds what codecs say against a full decode, if that accepts the message. If
// it does not, only the way of framing must make no difference.
func agree(t *testing.T, m protoreflect.MessageDescriptor, list []wire, b []byte, seen map[codecs.Status]int) {
	t.Helper()
	b = slices.Clip(b) // reading beyond the end panics
	full := dynamicpb.NewMessage(m)
	err := proto.UnmarshalOptions{AllowPartial: true}.Unmarshal(b, full)
	for _, w := range list {
		ms, s := w.raw.EventTime(&codecs.Message{Value: b})
		fms, fs := w.framed.EventTime(&codecs.Message{Value: slices.Clip(frame(b))})
		if fms != ms || fs != s {
			t.Errorf("%x is %s %d for %s and %s %d for %s", b, s, ms, w.raw.Name(), fs, fms, w.framed.Name())
		}
		if s == codecs.Unready {
			t.Errorf("%x is unready for %s", b, w.raw.Name())
		}
		seen[s]++
		if err != nil {
			continue
		}
		if want, ws := reference(full, w.rule); s != ws || ms != want {
			t.Errorf("%x is %s %d for %s, want %s %d", b, s, ms, w.raw.Name(), ws, want)
		}
	}
}

// reference is what the documentation says, of a message that is decoded.
func reference(m protoreflect.Message, r codecs.Rule) (ms int64, s codecs.Status) {
	var p codecs.Problems
	times := codecs.NewTimes(codecs.Rule{}, &p)
	for _, path := range r.Fields {
		in := m
		names := strings.Split(path, ".")
		for _, n := range names[:len(names)-1] {
			in = in.Get(in.Descriptor().Fields().ByName(protoreflect.Name(n))).Message()
		}
		d := in.Descriptor().Fields().ByName(protoreflect.Name(names[len(names)-1]))
		if !in.Has(d) {
			continue
		}
		v := in.Get(d)
		var ok bool
		switch x := v.Interface().(type) {
		case int32:
			ms, ok = times.Int(int64(x))
		case int64:
			ms, ok = times.Int(x)
		case uint32:
			ms, ok = times.Uint(uint64(x))
		case uint64:
			ms, ok = times.Uint(x)
		case float32:
			ms, ok = times.Float(float64(x))
		case float64:
			ms, ok = times.Float(x)
		case string:
			ms, ok = times.Text([]byte(x))
		case protoreflect.Message:
			f := x.Descriptor().Fields()
			seconds, nanos := x.Get(f.ByName("seconds")).Int(), x.Get(f.ByName("nanos")).Int()
			const most = math.MaxInt64/1000 - 1 // and a little, which overflows with nanoseconds
			ok = 0 <= nanos && nanos < 1e9 && -most <= seconds && seconds <= most
			ms = seconds*1000 + nanos/1e6
		}
		if !ok {
			return 0, codecs.Malformed
		}
		return ms, codecs.Found
	}
	return 0, codecs.None
}

// randomMessage is a wire.M whose fields occur in any order and number, now and then
// with a wire type that is not theirs.
func randomMessage(rnd *rand.Rand, depth int) (b []byte) {
	types := []protowire.Type{
		1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 5, 8: 1, 9: 5, 10: 1, 11: 5, 12: 1, 13: 2, 14: 2, 15: 2, 16: 3, 17: 2, 18: 2, 19: 0,
	}
	for range rnd.IntN(12) {
		n := protowire.Number(1 + rnd.IntN(len(types)-1))
		typ := types[n]
		if rnd.IntN(10) == 0 {
			typ = []protowire.Type{0, 1, 2, 3, 5}[rnd.IntN(5)]
		}
		b = protowire.AppendTag(b, n, typ)
		x := randomNumber(rnd)
		switch typ {
		case protowire.VarintType:
			b = protowire.AppendVarint(b, x)
		case protowire.Fixed32Type:
			if n == 11 {
				x = uint64(math.Float32bits(float32(int64(x))))
			}
			b = protowire.AppendFixed32(b, uint32(x))
		case protowire.Fixed64Type:
			if n == 12 {
				x = math.Float64bits(float64(int64(x)) / 8)
			}
			b = protowire.AppendFixed64(b, x)
		case protowire.StartGroupType:
			if depth < 4 {
				b = append(b, randomMessage(rnd, depth+1)...)
			}
			b = protowire.AppendTag(b, n, protowire.EndGroupType)
		case protowire.BytesType:
			b = protowire.AppendBytes(b, randomBytes(rnd, n, depth))
		}
	}
	return b
}

func randomBytes(rnd *rand.Rand, n protowire.Number, depth int) (b []byte) {
	switch {
	case n == 14:
		for range rnd.IntN(4) {
			if rnd.IntN(2) == 0 {
				b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), randomNumber(rnd))
			} else {
				b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(rnd.IntN(1_100_000_000)))
			}
		}
		return b
	case n == 13:
		return []byte([]string{"2026-11-21T18:20:00.123Z", "1795285200123", "", "yesterday", "-1.5e3"}[rnd.IntN(5)])
	case n == 15 && depth < 4:
		return randomMessage(rnd, depth+1)
	}
	b = make([]byte, rnd.IntN(10))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

func randomNumber(rnd *rand.Rand) uint64 {
	switch rnd.IntN(6) {
	case 0:
		return rnd.Uint64()
	case 1:
		return uint64(-rnd.Int64N(1e13))
	case 2:
		return 0
	}
	return 1795285200 + rnd.Uint64N(1e12)
}
