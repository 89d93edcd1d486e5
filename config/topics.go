package config

import (
	"regexp"
	"time"
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
	include, err := wholeNames(t.Include)
	if err != nil {
		return nil, err
	}
	exclude, err := wholeNames(t.Exclude)
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

func wholeNames(patterns []string) ([]*regexp.Regexp, error) {
	list := make([]*regexp.Regexp, len(patterns))
	for i, p := range patterns {
		// By itself first: "a)|(b" is wrong, whatever it becomes inside a group.
		if _, err := regexp.Compile(p); err != nil {
			return nil, err
		}
		list[i] = regexp.MustCompile(`\A(?:` + p + `)\z`)
	}
	return list, nil
}
