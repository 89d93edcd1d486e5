package scenario

import (
	"strconv"
	"strings"
)

// A picker chooses among n messages; none is chosen twice.
type picker struct {
	n    int
	used map[int]bool
}

// some reads "5", which are spread over the n, or "11..15", counted from 1.
func (k *picker) some(a *args, name string) map[int]bool {
	chosen := map[int]bool{}
	text := a.options[name]
	if text == "" {
		return chosen
	}
	if k.used == nil {
		k.used = map[int]bool{}
	}
	first, last, isRange := strings.Cut(text, "..")
	low, err := strconv.Atoi(first)
	high := low
	if err == nil && isRange {
		high, err = strconv.Atoi(last)
	}
	free := k.n - len(k.used)
	switch {
	case err != nil || low < 0 || isRange && (low < 1 || high < low):
		a.wrong(name, "want a number, or a range such as 11..15")
	case isRange && high > k.n, !isRange && low > free:
		a.wrong(name, "there are %d messages, %d of them not chosen otherwise", k.n, free)
	case isRange:
		for i := low - 1; i < high; i++ {
			if k.used[i] {
				a.wrong(name, "message %d is chosen otherwise", i+1)
			}
			chosen[i], k.used[i] = true, true
		}
	default:
		for c := range low {
			i := (2*c + 1) * k.n / (2 * low)
			for k.used[i] {
				i = (i + 1) % k.n
			}
			chosen[i], k.used[i] = true, true
		}
	}
	return chosen
}
