package audit

import (
	"testing"
	"time"
)

func TestABacklogCountsWhatIsMarkedOnce(t *testing.T) {
	const n = maxBacklog + 100
	for name, tc := range map[string]struct {
		do   func(b *Backlog, add func(from, to int64))
		want uint64
	}{
		"all before a mark":       {func(b *Backlog, add func(from, to int64)) { add(0, 10); b.Processed(4) }, 4},
		"a mark again, and lower": {func(b *Backlog, add func(from, to int64)) { add(0, 10); b.Processed(4); b.Processed(4); b.Processed(2) }, 4},
		"rewound":                 {func(b *Backlog, add func(from, to int64)) { add(0, 10); b.Processed(4); add(4, 12); b.Processed(100) }, 12},
		"taken back":              {func(b *Backlog, add func(from, to int64)) { add(0, 10); b.TakeBack(9); b.Processed(100) }, 9},
		"never marked":            {func(b *Backlog, add func(from, to int64)) { add(0, n); b.Processed(1 << 60) }, maxBacklog},
	} {
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l})
		b := r.Topic("orders").Backlog()
		tc.do(b, func(from, to int64) {
			for i := from; i < to; i++ {
				b.Add(i, &Passage{Value: []byte("v"), Time: time.Now().UnixMilli()})
			}
		})
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c := l.sum("orders"); c.Count != tc.want || c.attempts != 0 {
			t.Errorf("%s: %d, want %d", name, c.Count, tc.want)
		}
	}
}
