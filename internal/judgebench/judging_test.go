package main

import "testing"

func BenchmarkJudge(b *testing.B) {
	o := &judging{topics: 2000, tiers: 4, windows: 6, sources: 1}
	for b.Loop() {
		b.StopTimer()
		j, _, err := o.filled(o.topics)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		j.Advance(o.end()+1, 2)
		j.Take()
	}
}
