package main

import (
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

func TestLine(t *testing.T) {
	c, err := newLine(codecs.Rule{Settings: []string{"column=1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]struct {
		ms int64
		s  codecs.Status
	}{
		"4711|1795285199000|sold":   {1795285199000, codecs.Found},
		"4711|2026-11-21T18:20:00Z": {1795285200000, codecs.Found},
		"4711||sold":                {0, codecs.None},
		"":                          {0, codecs.None},
		"4711":                      {0, codecs.Malformed},
		"4711|tomorrow|sold":        {0, codecs.Malformed},
	} {
		m := &codecs.Message{Value: []byte(value)}
		if ms, s := c.EventTime(m); ms != want.ms || s != want.s {
			t.Errorf("%q gives %s %d, want %s %d", value, s, ms, want.s, want.ms)
		}
		if n := testing.AllocsPerRun(10, func() { c.EventTime(m) }); n != 0 {
			t.Errorf("%q costs %v allocations", value, n)
		}
	}
}
