package config

import (
	"regexp"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
)

// A Start says where counting begins: Earliest, Latest or an RFC 3339 time.
type Start string

// Starts that are no time.
const (
	Earliest Start = "earliest"
	Latest   Start = "latest"
)

// Time is the moment, if Start is one.
func (s Start) Time() (t time.Time, ok bool) {
	t, err := time.Parse(time.RFC3339, string(s))
	return t, err == nil
}

// Matcher makes the function that says whether a topic's name is among those
// to be audited: it matches a pattern of Include as a whole, and none of Exclude.
// The error is that of the first pattern that is wrong, if any.
func (t *Topics) Matcher() (func(topic string) bool, error) {
	include, err := compare.WholeNames(t.Include)
	if err != nil {
		return nil, err
	}
	exclude, err := compare.WholeNames(t.Exclude)
	if err != nil {
		return nil, err
	}
	return func(topic string) bool { return matches(include, topic) && !matches(exclude, topic) }, nil
}

func matches(patterns []*regexp.Regexp, name string) bool {
	for _, p := range patterns {
		if p.MatchString(name) {
			return true
		}
	}
	return false
}
