package audit

import (
	"sync"
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
		"rewound further":         {func(b *Backlog, add func(from, to int64)) { add(0, 10); b.Processed(4); add(2, 12); b.Processed(100) }, 14},
		"out of order": {func(b *Backlog, add func(from, to int64)) {
			add(4, 5)
			add(6, 7)
			add(5, 6)
			b.Processed(6)
			b.Processed(7)
		}, 3},
		"out of order and full": {func(b *Backlog, add func(from, to int64)) { add(1, n); add(0, 1); b.Processed(1 << 60) }, maxBacklog},
		"taken back":            {func(b *Backlog, add func(from, to int64)) { add(0, 10); b.TakeBack(9); b.Processed(100) }, 9},
		"never marked":          {func(b *Backlog, add func(from, to int64)) { add(0, n); b.Processed(1 << 60) }, maxBacklog},
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

// Two goroutines that receive from one partition may remember in another order than
// they received.
func TestABacklogForgetsNothingOfTwoWorkers(t *testing.T) {
	const n = 1000
	l := listen(t)
	r := mustRecorder(t, Options{Tier: "edge", Reporter: l})
	b := r.Topic("orders").Backlog()
	var workers sync.WaitGroup
	for w := range int64(2) {
		workers.Go(func() {
			for i := w; i < n; i += 2 {
				b.Add(i, &Passage{Value: []byte("v"), Time: time.Now().UnixMilli()})
			}
		})
	}
	workers.Wait()
	b.Processed(n)
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := l.sum("orders"); c.Count != n {
		t.Errorf("%d of %d are processed", c.Count, n)
	}
}
