package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Bytes is an amount of memory. It is written with its unit, such as 512MiB or 2GB;
// nothing is 0.
type Bytes int64

// Units of Bytes, greatest first.
var units = []struct {
	name string
	size Bytes
}{
	{"TiB", 1 << 40}, {"TB", 1e12}, {"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"KB", 1e3}, {"B", 1},
}

var amount = regexp.MustCompile(`^(\d+) ?([A-Za-z]+)$`)

// parseBytes reads a whole number with a unit. A bare number has none and is
// refused: it would be bytes to one and megabytes to another.
func parseBytes(text string) (Bytes, error) {
	if text == "" {
		return 0, nil
	}
	if m := amount.FindStringSubmatch(text); m != nil {
		for _, u := range units {
			if !strings.EqualFold(m[2], u.name) {
				continue
			}
			n, err := strconv.ParseInt(m[1], 10, 64)
			if err != nil || Bytes(n) > math.MaxInt64/u.size {
				return 0, fmt.Errorf("%q is too large", text)
			}
			return Bytes(n) * u.size, nil
		}
	}
	return 0, fmt.Errorf("%q must be an amount with its unit, such as 512MiB or 2GB", text)
}

// String gives the number in the greatest unit that keeps it whole.
func (b Bytes) String() string {
	for _, u := range units {
		if b != 0 && b%u.size == 0 {
			return fmt.Sprintf("%d%s", b/u.size, u.name)
		}
	}
	return "0B"
}
