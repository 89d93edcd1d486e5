package main

import (
	"fmt"
	"slices"
)

// An aim is what a figure should be.
type aim struct {
	sign  string // "<=" or ">="; empty for no aim
	value float64
}

var none aim

func atMost(v float64) aim  { return aimed("<=", v) }
func atLeast(v float64) aim { return aimed(">=", v) }

func aimed(sign string, v float64) aim {
	if v == 0 {
		return none
	}
	return aim{sign, v}
}

// reached says whether a figure is as good as it should be.
func (a aim) reached(v float64) bool {
	return a.sign == "" || a.sign == "<=" && v <= a.value || a.sign == ">=" && v >= a.value
}

// figure prints one line, and before it a note: the unit or the spread.
func figure(name, note string, v float64, a aim) {
	fmt.Printf("# %s: %s\n%s\n", name, note, line(name, v, a))
}

func line(name string, v float64, a aim) string {
	s := fmt.Sprintf("figure %s %s", name, number(v))
	if a.sign != "" {
		verdict := "short"
		if a.reached(v) {
			verdict = "ok"
		}
		s += fmt.Sprintf(" aim %s %s %s", a.sign, number(a.value), verdict)
	}
	return s
}

func number(v float64) string {
	if v >= 10 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

type results []result

func (l results) rates() (v []float64) {
	for _, r := range l {
		v = append(v, r.rate())
	}
	return v
}

func (l results) costs() (v []float64) {
	for _, r := range l {
		v = append(v, r.cost())
	}
	return v
}

func (l results) opened() (v []float64) {
	for _, r := range l {
		v = append(v, r.Opened.Seconds())
	}
	return v
}

func (l results) idles() (v []float64) {
	for _, r := range l {
		v = append(v, r.Idle)
	}
	return v
}

// over divides the values of each round by those of others in the same round.
func over(v, others []float64) (ratios []float64) {
	for i := range v {
		ratios = append(ratios, v[i]/others[i])
	}
	return ratios
}

// median of at least one value.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

func spread(v []float64) string {
	return fmt.Sprintf("%.3f..%.3f over %d rounds", slices.Min(v), slices.Max(v), len(v))
}
