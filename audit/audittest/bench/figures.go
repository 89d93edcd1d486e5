package main

import (
	"fmt"
	"slices"
)

// figure prints the median of what was measured, and before it the spread; without an
// aim if that is below 0.
func figure(name, unit string, values []float64, aim float64) {
	v := median(values)
	fmt.Printf("# %s: %s, %.3f..%.3f over %d rounds\n", name, unit, slices.Min(values), slices.Max(values), len(values))
	if aim < 0 {
		fmt.Printf("figure %s %.3f\n", name, v)
		return
	}
	verdict := "short"
	if v <= aim {
		verdict = "ok"
	}
	fmt.Printf("figure %s %.3f aim <= %.3f %s\n", name, v, aim, verdict)
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}
