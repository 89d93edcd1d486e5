package config

import (
	"math"
	"testing"
)

func TestAmountsHaveUnits(t *testing.T) {
	for text, want := range map[string]Bytes{
		"": 0, "0B": 0, "512MiB": 512 << 20, "512 mib": 512 << 20, "1GiB": 1 << 30, "2GB": 2_000_000_000, "3kb": 3000, "17B": 17, "8TiB": 8 << 40,
	} {
		if got, err := parseBytes(text); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"512", "1.5GiB", "-1GiB", "1G", "MiB", "1 GiB of it", "9000000000TiB", "99999999999999999999B"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
	for _, b := range []Bytes{0, 1, 1000, 1024, 1536, 512 << 20, 3_000_000_000, math.MaxInt64} {
		if got, err := parseBytes(b.String()); err != nil || got != b {
			t.Errorf("%d is written as %s, which is read as %d, %v", int64(b), b, got, err)
		}
	}
}
