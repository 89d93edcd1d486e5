package codecs

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRFC3339AgreesWithPackageTimeOnEveryDay(t *testing.T) {
	at := time.Date(0, 1, 1, 23, 59, 58, 987654321, time.UTC)
	for ; at.Year() < 10000; at = at.AddDate(0, 0, 1) {
		s := at.Format(time.RFC3339Nano)
		if ms, ok := parseRFC3339([]byte(s)); !ok || ms != at.UnixMilli() {
			t.Fatalf("%s gives %d %t, want %d", s, ms, ok, at.UnixMilli())
		}
	}
}

func FuzzRFC3339(f *testing.F) {
	for _, s := range []string{
		"2026-11-23T23:16:25Z", "2026-11-23t23:16:25.123456789z", "2026-11-23 23:16:25.1+23:59", "2024-02-29T00:00:00-00:00", "2023-02-29T00:00:00Z",
		"2026-11-23T23:16:60Z", "2026-11-23T24:00:00Z", "2026-11-23T23:16:25", "2026-11-23T23:16:25.Z", "2026-11-23T23:16:25,5Z", "2026-11-23T3:16:25Z",
		"2026-11-23T23:16:25+24:00", "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999-23:59", "2026-13-01T00:00:00Z", "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z",
	} {
		f.Add(s)
	}
	shape := regexp.MustCompile(`\A\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]([01]\d|2[0-3]):[0-5]\d)\z`)
	f.Fuzz(func(t *testing.T, s string) {
		ms, ok := parseRFC3339([]byte(s))
		if !shape.MatchString(s) {
			if ok {
				t.Errorf("%q is not RFC 3339 and gives %d", s, ms)
			}
			return
		}
		b := []byte(strings.ToUpper(s))
		b[len("2006-01-02")] = 'T'
		want, err := time.Parse(time.RFC3339, string(b))
		if ok != (err == nil) || ok && ms != want.UnixMilli() {
			t.Errorf("%q gives %d %t, want %d %v", s, ms, ok, want.UnixMilli(), err)
		}
	})
}
