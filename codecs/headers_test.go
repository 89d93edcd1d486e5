package codecs_test

import (
	"bytes"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

type header struct {
	k string
	v []byte
}

func encode(hs ...header) codecs.Headers {
	h := codecs.AppendHeaderCount(nil, len(hs))
	for _, x := range hs {
		h = codecs.AppendHeader(h, []byte(x.k), x.v)
	}
	return h
}

func TestHeadersComeBackAsTheyWent(t *testing.T) {
	want := []header{{"a", []byte("1")}, {"", []byte{}}, {"null", nil}, {"long", bytes.Repeat([]byte("x"), 300)}, {"a", []byte("2")}}
	h := encode(want...)
	i := 0
	for k, v := range h.All() {
		if i == len(want) || string(k) != want[i].k || !bytes.Equal(v, want[i].v) || (v == nil) != (want[i].v == nil) {
			t.Fatalf("header %d is %q: %q", i, k, v)
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d headers came back of %d", i, len(want))
	}
}

func TestHeadersAreKafkaBytes(t *testing.T) {
	got := encode(header{"k", []byte("vw")}, header{"n", nil})
	if want := "\x04\x02k\x04vw\x02n\x01"; string(got) != want {
		t.Errorf("encoded %q, want %q", got, want)
	}
}

func TestGetGivesTheLastHeaderOfThatName(t *testing.T) {
	h := encode(header{"a", []byte("1")}, header{"b", nil}, header{"a", []byte("2")})
	if v, ok := h.Get("a"); !ok || string(v) != "2" {
		t.Errorf("a is %q %t", v, ok)
	}
	if v, ok := h.Get("b"); !ok || v != nil {
		t.Errorf("b is %q %t, want null", v, ok)
	}
	if _, ok := h.Get("c"); ok {
		t.Error("c is there")
	}
	if _, ok := codecs.Headers(nil).Get("a"); ok {
		t.Error("a is in no headers")
	}
	if n := testing.AllocsPerRun(10, func() { h.Get("a") }); n != 0 {
		t.Errorf("Get costs %v allocations", n)
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add([]byte(encode(header{"a", []byte("1")}, header{"b", nil})))
	f.Add([]byte("\x04\x02k\x04v"))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00"))
	f.Add([]byte("\x02\x02k\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var hs []header
		size := 0
		for k, v := range codecs.Headers(b[:len(b):len(b)]).All() {
			hs = append(hs, header{string(k), v})
			size += len(k) + len(v)
		}
		if size > len(b) {
			t.Fatalf("%d bytes hold %d bytes of headers", len(b), size)
		}
		again := 0
		for k, v := range encode(hs...).All() {
			if string(k) != hs[again].k || !bytes.Equal(v, hs[again].v) {
				t.Fatalf("header %d changed to %q: %q", again, k, v)
			}
			again++
		}
		if again != len(hs) {
			t.Fatalf("%d headers came back of %d", again, len(hs))
		}
	})
}
