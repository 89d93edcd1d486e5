package msgpack_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/chaperone-audit/chaperone/codecs"
)

var variants = []codecs.Rule{{}, {Unit: "ms"}, {Fields: []string{"a.ts", "b", "a.a.b"}}, {Fields: []string{"TS", "a"}, AnyCase: true}}

func TestItAgreesWithAFullDecode(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	list := build(t)
	seen := map[codecs.Status]int{}
	for range 20000 {
		b := randomMap(rnd, nil, 0)
		if rnd.IntN(8) == 0 {
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		}
		agree(t, list, b, seen)
	}
	for _, s := range []codecs.Status{codecs.Found, codecs.None, codecs.Malformed} {
		if seen[s] < 1000 {
			t.Errorf("only %d answers are %s: the generator is too narrow", seen[s], s)
		}
	}
}

func Fuzz(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		f.Add(randomMap(rnd, nil, 0))
	}
	list := build(f)
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, list, b, map[codecs.Status]int{}) })
}

func build(t testing.TB) (list []codecs.Codec) {
	for _, r := range variants {
		list = append(list, mustBuild(t, r))
	}
	return list
}

// agree holds what the codecs say against a full decode, if that accepts the message.
func agree(t *testing.T, list []codecs.Codec, b []byte, seen map[codecs.Status]int) {
	t.Helper()
	b = slices.Clip(b)
	rest, err := msgp.Skip(b)
	valid := err == nil && len(rest) == 0 && len(b) > 0
	for i, c := range list {
		ms, s := c.EventTime(&codecs.Message{Value: b})
		seen[s]++
		if !valid {
			continue
		}
		want, ws := reference(b, variants[i])
		if s != ws || s == codecs.Found && ms != want {
			t.Errorf("%x is %s %d for %s, want %s %d", b, s, ms, c.Name(), ws, want)
		}
	}
}

// reference is what the documentation says, by means of another library, of what is
// MessagePack.
func reference(b []byte, r codecs.Rule) (int64, codecs.Status) {
	var p codecs.Problems
	times := codecs.NewTimes(codecs.Rule{Unit: r.Unit}, &p)
	fields := r.Fields
	if len(fields) == 0 {
		fields = []string{"ts", "timestamp"}
	}
	anyCase := r.AnyCase || len(r.Fields) == 0
	if msgp.NextType(b) != msgp.MapType {
		return 0, codecs.Malformed
	}
	var walk func(b []byte, prefix string) ([]byte, int64, codecs.Status)
	walk = func(b []byte, prefix string) ([]byte, int64, codecs.Status) {
		n, b, _ := msgp.ReadMapHeaderBytes(b)
		for ; n > 0; n-- {
			path, isText := "", msgp.NextType(b) == msgp.StrType
			if isText {
				path, _, _ = msgp.ReadStringBytes(b)
				isText = !strings.Contains(path, ".")
				path = prefix + path
			}
			b, _ = msgp.Skip(b)
			next := msgp.NextType(b)
			equal := func(a, b string) bool { return a == b || anyCase && len(a) == len(b) && strings.EqualFold(a, b) } // a length, since Unicode folds more
			matches := func(f string) bool { return equal(f, path) }
			leads := func(f string) bool {
				return len(f) > len(path) && equal(f[:len(path)+1], path+".")
			}
			switch {
			case !isText || next == msgp.NilType:
			case next == msgp.MapType && slices.ContainsFunc(fields, leads):
				var ms int64
				var s codecs.Status
				if b, ms, s = walk(b, path+"."); s != codecs.None {
					return nil, ms, s
				}
				continue
			case slices.ContainsFunc(fields, matches):
				ms, ok := value(b, times)
				if !ok {
					return nil, 0, codecs.Malformed
				}
				return nil, ms, codecs.Found
			}
			b, _ = msgp.Skip(b)
		}
		return b, 0, codecs.None
	}
	_, ms, s := walk(b, "")
	return ms, s
}

func value(b []byte, times codecs.Times) (ms int64, ok bool) {
	// The other library has a type of extension for times of its own as well.
	if e := (msgp.RawExtension{Type: msgp.MsgTimeExtension}); isExtension(b) {
		if _, err := msgp.ReadExtensionBytes(b, &e); err != nil {
			return 0, false
		}
		t, _, err := msgp.ReadTimeBytes(b)
		return t.UnixMilli(), err == nil && max(t.Unix(), -t.Unix()) < math.MaxInt64/1000
	}
	v, _, err := msgp.ReadIntfBytes(b)
	if err != nil {
		return 0, false
	}
	switch x := v.(type) {
	case int64:
		return times.Int(x)
	case uint64:
		return times.Uint(x)
	case float32:
		return times.Float(float64(x))
	case float64:
		return times.Float(x)
	case string:
		return times.Text([]byte(x))
	}
	return 0, false
}

func isExtension(b []byte) bool { return b[0] >= 0xc7 && b[0] <= 0xc9 || b[0] >= 0xd4 && b[0] <= 0xd8 }

// randomMap appends a map with names that matter, and all kinds of values.
func randomMap(rnd *rand.Rand, b []byte, depth int) []byte {
	n := rnd.IntN(7)
	b = msgp.AppendMapHeader(b, uint32(n))
	for range n {
		if rnd.IntN(10) == 0 {
			b = randomValue(rnd, b, depth+1)
		} else {
			b = msgp.AppendString(b, []string{"ts", "TS", "timestamp", "a", "A", "b", "c", "", "x"}[rnd.IntN(9)])
		}
		b = randomValue(rnd, b, depth)
	}
	return b
}

func randomValue(rnd *rand.Rand, b []byte, depth int) []byte {
	if depth < 4 {
		switch rnd.IntN(4) {
		case 0:
			return randomMap(rnd, b, depth+1)
		case 1:
			n := rnd.IntN(4)
			b = msgp.AppendArrayHeader(b, uint32(n))
			for range n {
				b = randomValue(rnd, b, depth+1)
			}
			return b
		}
	}
	switch rnd.IntN(11) {
	case 0:
		return msgp.AppendNil(b)
	case 1:
		return msgp.AppendBool(b, true)
	case 2:
		return msgp.AppendInt64(b, rnd.Int64N(4e12)-2e12)
	case 3:
		return msgp.AppendUint64(b, rnd.Uint64()>>rnd.IntN(64))
	case 4:
		return msgp.AppendFloat64(b, float64(rnd.Int64N(4e12))/1000)
	case 5:
		return msgp.AppendFloat32(b, float32(rnd.Int64N(4e12))/1000)
	case 6:
		return msgp.AppendString(b, []string{"", "x", "2026-11-21T18:20:00.123Z", "1795285200123"}[rnd.IntN(4)])
	case 7:
		return msgp.AppendBytes(b, make([]byte, rnd.IntN(300)))
	case 8:
		return msgp.AppendTimeExt(b, time.UnixMilli(rnd.Int64N(4e13)-2e13))
	case 9:
		return msgp.AppendTime(b, time.UnixMilli(rnd.Int64N(4e12)))
	}
	return msgp.AppendInt(b, rnd.IntN(200)-100)
}
