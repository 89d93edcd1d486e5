package figures

import "testing"

func TestFiguresSayWhetherTheAimIsReached(t *testing.T) {
	for _, c := range []struct {
		value float64
		aim   Aim
		want  string
	}{
		{1.3, AtMost(1.30), "figure x 1.300 aim <= 1.300 ok"},
		{1.31, AtMost(1.30), "figure x 1.310 aim <= 1.300 short"},
		{0.85, AtLeast(0.85), "figure x 0.850 aim >= 0.850 ok"},
		{0.84, AtLeast(0.85), "figure x 0.840 aim >= 0.850 short"},
		{0, AtMost(0), "figure x 0.000 aim <= 0.000 ok"},
		{1, AtMost(0), "figure x 1.000 aim <= 0.000 short"},
		{21.94, AtMost(25), "figure x 21.9 aim <= 25.0 ok"},
		{2400000, Aim{}, "figure x 2400000"},
	} {
		if got := Line("x", c.value, c.aim); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestMedianIsTheMiddle(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{5}, 5}, {[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := Median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
	}
}
