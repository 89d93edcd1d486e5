package cbor_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

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

// agree holds what the codecs say against a full decode, if that accepts the message:
// it nests 32 deep, counting all.
func agree(t *testing.T, list []codecs.Codec, b []byte, seen map[codecs.Status]int) {
	t.Helper()
	b = slices.Clip(b)
	valid := cbor.Wellformed(b) == nil
	for i, c := range list {
		ms, s := c.EventTime(&codecs.Message{Value: b})
		seen[s]++
		if !valid {
			continue
		}
		want, ws := reference(t, b, variants[i])
		if s != ws || s == codecs.Found && ms != want {
			t.Errorf("%x is %s %d for %s, want %s %d", b, s, ms, c.Name(), ws, want)
		}
	}
}

// reference is what the documentation says, by means of another library, of what is
// CBOR.
func reference(t *testing.T, b []byte, r codecs.Rule) (int64, codecs.Status) {
	var p codecs.Problems
	times := codecs.NewTimes(codecs.Rule{Unit: r.Unit}, &p)
	fields := r.Fields
	if len(fields) == 0 {
		fields = []string{"ts", "timestamp"}
	}
	anyCase := r.AnyCase || len(r.Fields) == 0
	equal := func(a, b string) bool { return a == b || anyCase && len(a) == len(b) && strings.EqualFold(a, b) } // a length, since Unicode folds more
	var walk func(b []byte, prefix string) (int64, codecs.Status)
	walk = func(b []byte, prefix string) (int64, codecs.Status) {
		list := members(t, b)
		for i := 0; i < len(list); i += 2 {
			path, v := "", list[i+1]
			if err := lenient.Unmarshal(list[i], &path); err != nil || list[i][0]>>5 != 3 || strings.Contains(path, ".") {
				continue
			}
			path = prefix + path
			matches := func(f string) bool { return equal(f, path) }
			leads := func(f string) bool { return len(f) > len(path) && equal(f[:len(path)+1], path+".") }
			switch {
			case v[0] == 0xf6 || v[0] == 0xf7:
			case v[0]>>5 == 5 && slices.ContainsFunc(fields, leads):
				if ms, s := walk(v, path+"."); s != codecs.None {
					return ms, s
				}
			case slices.ContainsFunc(fields, matches):
				ms, ok := value(v, times)
				if !ok {
					return 0, codecs.Malformed
				}
				return ms, codecs.Found
			}
		}
		return 0, codecs.None
	}
	var tagged cbor.RawTag
	if lenient.Unmarshal(b, &tagged) == nil && tagged.Number == 55799 {
		b = tagged.Content
	}
	if b[0]>>5 != 5 {
		return 0, codecs.Malformed
	}
	return walk(b, "")
}

var lenient, _ = cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid, IntDec: cbor.IntDecConvertNone}.DecMode()

// members are the keys and values of a map in their order.
func members(t *testing.T, b []byte) (list [][]byte) {
	var items []byte
	switch info := b[0] & 31; {
	case info == 31:
		items = b[1 : len(b)-1]
	case info < 24:
		items = b[1:]
	default:
		items = b[1+1<<(info-24):]
	}
	for len(items) > 0 {
		d := cbor.NewDecoder(bytes.NewReader(items))
		if err := d.Skip(); err != nil { // other than Unmarshal it does not look into tags
			t.Fatalf("%x: %v", items, err)
		}
		n := d.NumBytesRead()
		list, items = append(list, items[:n]), items[n:]
	}
	return list
}

func value(b []byte, times codecs.Times) (ms int64, ok bool) {
	if b[0]>>5 == 6 {
		var tagged cbor.RawTag
		if err := lenient.Unmarshal(b, &tagged); err != nil || len(tagged.Content) == 0 {
			return 0, false
		}
		isText := tagged.Content[0]>>5 == 3
		switch {
		case tagged.Number > 1 || isText != (tagged.Number == 0) || tagged.Content[0]>>5 == 6:
			return 0, false
		case tagged.Number == 1:
			var p codecs.Problems
			times = codecs.NewTimes(codecs.Rule{Unit: "s"}, &p)
		}
		b = tagged.Content
	}
	var v any
	if err := lenient.Unmarshal(b, &v); err != nil {
		return 0, false
	}
	switch x := v.(type) {
	case int64:
		return times.Int(x)
	case uint64:
		return times.Uint(x)
	case float64:
		return times.Float(x)
	case string:
		return times.Text([]byte(x))
	}
	return 0, false
}

// randomMap appends a map with names that matter, and all kinds of values.
func randomMap(rnd *rand.Rand, b []byte, depth int) []byte {
	return randomSequence(rnd, b, 0xa0, rnd.IntN(7), func(b []byte) []byte {
		if rnd.IntN(10) == 0 {
			b = randomValue(rnd, b, depth+1)
		} else {
			b = randomText(rnd, b, []string{"ts", "TS", "timestamp", "a", "A", "b", "c", "", "x"}[rnd.IntN(9)])
		}
		return randomValue(rnd, b, depth)
	})
}

// randomSequence appends items with a count or without one.
func randomSequence(rnd *rand.Rand, b []byte, kind byte, n int, item func([]byte) []byte) []byte {
	open := rnd.IntN(4) == 0
	if open {
		b = append(b, kind+31)
	} else {
		b = append(b, kind+byte(n))
	}
	for range n {
		b = item(b)
	}
	if open {
		b = append(b, 0xff)
	}
	return b
}

// randomText appends one in one piece or in two.
func randomText(rnd *rand.Rand, b []byte, s string) []byte {
	if rnd.IntN(4) > 0 {
		return marshal(b, s)
	}
	half := rnd.IntN(len(s) + 1)
	return append(marshal(marshal(append(b, 0x7f), s[:half]), s[half:]), 0xff)
}

func marshal(b []byte, v any) []byte {
	item, err := cbor.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(b, item...)
}

func randomValue(rnd *rand.Rand, b []byte, depth int) []byte {
	if depth < 4 {
		switch rnd.IntN(5) {
		case 0:
			return randomMap(rnd, b, depth+1)
		case 1:
			return randomSequence(rnd, b, 0x80, rnd.IntN(4), func(b []byte) []byte { return randomValue(rnd, b, depth+1) })
		case 2:
			return randomValue(rnd, append(b, 0xc0+byte(rnd.IntN(3))), depth+1)
		}
	}
	switch rnd.IntN(9) {
	case 0:
		return append(b, 0xf6+byte(rnd.IntN(2)))
	case 1:
		return append(b, 0xf5)
	case 2:
		return marshal(b, rnd.Int64N(4e12)-2e12)
	case 3:
		return marshal(b, rnd.Uint64()>>rnd.IntN(64))
	case 4:
		return marshal(b, float64(rnd.Int64N(4e12))/1000)
	case 5:
		return append(b, 0xf9, byte(rnd.Uint32()), byte(rnd.Uint32()))
	case 6:
		return randomText(rnd, b, []string{"", "x", "2026-11-21T18:20:00.123Z", "1795285200123"}[rnd.IntN(4)])
	case 7:
		return marshal(b, make([]byte, rnd.IntN(300)))
	}
	return marshal(b, rnd.IntN(200)-100)
}
