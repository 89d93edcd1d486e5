// Package figures prints what the benchmarks measured: a line
//
//	figure NAME VALUE aim <=|>= VALUE ok|short
//
// for each figure, without the aim if it has none, and before it a line that begins
// with # and says the unit and the spread.
package figures

import (
	"fmt"
	"slices"
)

// An Aim is what a figure should be. The zero value is no aim.
type Aim struct {
	sign  string // "<=" or ">="
	value float64
}

// AtMost is the aim of a figure that should be small.
func AtMost(v float64) Aim { return Aim{"<=", v} }

// AtLeast is the aim of a figure that should be large.
func AtLeast(v float64) Aim { return Aim{">=", v} }

func (a Aim) verdict(v float64) string {
	if a.sign == "<=" && v <= a.value || a.sign == ">=" && v >= a.value {
		return "ok"
	}
	return "short"
}

// Print prints a figure, and before it a note: the unit or the spread.
func Print(name, note string, v float64, a Aim) {
	fmt.Printf("# %s: %s\n%s\n", name, note, Line(name, v, a))
}

// PrintMedian prints the median of the rounds of a measurement, and before it the unit
// and the spread.
func PrintMedian(name, unit string, rounds []float64, a Aim) {
	Print(name, unit+", "+Spread(rounds), Median(rounds), a)
}

// Line is the line of a figure, without its end.
func Line(name string, v float64, a Aim) string {
	s := fmt.Sprintf("figure %s %s", name, number(v))
	if a.sign != "" {
		s += fmt.Sprintf(" aim %s %s %s", a.sign, number(a.value), a.verdict(v))
	}
	return s
}

func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// Median is the middle of at least one value, or the mean of the two in the middle.
func Median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// Spread is the least and the greatest of at least one value, and how many they are.
func Spread(v []float64) string {
	return fmt.Sprintf("%.3f..%.3f over %d rounds", slices.Min(v), slices.Max(v), len(v))
}
