package scenario

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// midnight begins the day on which scenarios play, Unix milliseconds.
var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

func parseTime(text string, clock int64) (int64, error) {
	if rest, ok := strings.CutPrefix(text, "now"); ok {
		if rest == "" {
			return clock, nil
		}
		d, err := parseDuration(rest)
		return clock + d.Milliseconds(), err
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return midnight + t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)).Milliseconds(), nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time", text)
}

var days = regexp.MustCompile(`^([+-]?)(\d{1,5})d`)

// parseDuration reads what time.ParseDuration reads, and days before it. Longer
// than a century is none.
func parseDuration(text string) (time.Duration, error) {
	const century = 100 * 365 * 24 * time.Hour
	var d time.Duration
	if m := days.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[2]) // five digits fit
		d = time.Duration(n) * 24 * time.Hour
		if text = text[len(m[0]):]; text != "" && d <= century {
			rest, err := time.ParseDuration(text)
			if err != nil || rest < 0 || rest > century {
				return 0, fmt.Errorf("%q is no duration", text)
			}
			d += rest
		}
		if m[1] == "-" {
			d = -d
		}
	} else {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			return 0, err
		}
	}
	if d > century || d < -century {
		return 0, fmt.Errorf("%q is longer than a century", text)
	}
	return d, nil
}
