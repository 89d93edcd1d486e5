package compare

import (
	"fmt"
	"strings"
)

// Sentence says a finding in plain words, without a stop at its end.
func (f *Finding) Sentence() string {
	s := f.what()
	if f.Detail != "" {
		s += " (" + f.Detail + ")"
	}
	if f.Reason == Unnamed && (f.Kind == Missing || f.Kind == Duplicated) {
		s += "; more messages differ than can be told apart, so that others may be missing, altered or too many as well"
	}
	if f.Explained && f.Reason == Compacted {
		s += "; the topic is compacted, so that is as it should be"
	} else if f.Explained {
		s += "; that is expected"
	}
	return s
}

func (f *Finding) what() string {
	n := f.number()
	switch f.Kind {
	case Missing:
		return fmt.Sprintf("%s passed %s and %s missing at %s%s", n, f.From, isAre(f.Messages), f.To, f.where())
	case Altered:
		if len(f.IDs) == 0 {
			return fmt.Sprintf("%s of %s %s not among those of %s, or not as they were%s", n, f.To, isAre(f.Messages), f.From, f.where())
		}
		return fmt.Sprintf("%s %s another key or value at %s than at %s%s", n, hasHave(f.Messages), f.To, f.From, f.where())
	case Duplicated:
		return fmt.Sprintf("%s too many %s at %s, counted against %s%s", n, isAre(f.Messages), f.To, f.From, f.where())
	case Late:
		switch f.Reason {
		case Behind:
			return fmt.Sprintf("%s of %s %s not come to %s yet, which is behind: it has nothing of later windows either%s", n, f.From, hasHave(f.Messages), f.To, f.where())
		case Underway:
			return fmt.Sprintf("%s of %s %s not been counted at %s yet, which is not counted up to the end of the window's grace", n, f.From, hasHave(f.Messages), f.To)
		case Shifted:
			return fmt.Sprintf("%s counted in this window at one of %s and %s, and in a neighbouring one at the other: together they agree", n, f.From, f.To)
		}
		return fmt.Sprintf("%s came to %s after the window was final", n, f.To)
	case Unknown:
		return f.unknown(n)
	}
	if f.Reason == CountsOnly {
		return fmt.Sprintf("the numbers of %s and %s agree; one of them keeps no fingerprint of this kind, so nobody knows whether they are the same messages", f.From, f.To)
	}
	return "what went in came out"
}

func (f *Finding) unknown(n string) string {
	at := f.where()
	switch f.Reason {
	case Uncounted:
		return fmt.Sprintf("%s is not counted up to the end of the window%s: is its counter down, or behind?", f.To, at)
	case Unreported:
		return fmt.Sprintf("nobody has said how far %s is counted%s: does an instance that counts run, and is the cluster reachable?", f.To, at)
	case OpenTx:
		return fmt.Sprintf("a transaction that does not end holds messages of %s back%s: find it with kafka-transactions.sh find-hanging", f.To, at)
	case Vanished:
		return fmt.Sprintf("an instance of %s fell silent without goodbye%s: what it counted since is not known", f.To, at)
	case Withheld:
		return fmt.Sprintf("an instance of %s says that messages passed which are in no record%s", f.To, at)
	case Missed:
		return fmt.Sprintf("%s of %s can no longer be counted%s", n, f.To, at)
	case Partial:
		return fmt.Sprintf("counting of %s began in the middle of the window%s", f.To, at)
	case Unacknowledged:
		return fmt.Sprintf("%s of %s %s neither acknowledged nor refused, and may be among those at %s", n, f.From, wasWere(f.Messages), f.To)
	case Unnamed:
		return fmt.Sprintf("among those too many at %s others of %s may be missing: more messages differ than can be told apart", f.To, f.From)
	case Bypassed:
		return fmt.Sprintf("%s has messages that %s does not count, and too many of them to tell whether all of %s are there", f.To, f.From, f.From)
	case UnlikeSize:
		return fmt.Sprintf("%s counts in windows of another size", f.To)
	case UnlikeBasis:
		return fmt.Sprintf("%s and %s read event times from different places, and are not compared", f.From, f.To)
	case UnlikeCodec:
		return fmt.Sprintf("%s and %s read event times with different codecs or bounds, and are not compared", f.From, f.To)
	case NoPipeline:
		return "the topic is at several tiers and in no pipeline, so its tiers are not compared: name their order under pipelines"
	}
	return fmt.Sprintf("%s may be missing or too many at %s%s (%s)", n, f.To, at, f.Reason)
}

// number is how many messages, as far as that is known.
func (f *Finding) number() string {
	noun := "messages"
	if f.Messages == 1 {
		noun = "message"
	}
	switch f.Bound {
	case AtLeast:
		return fmt.Sprintf("at least %d %s", f.Messages, noun)
	case AtMost:
		return fmt.Sprintf("at most %d %s", f.Messages, noun)
	case Unbounded:
		return "messages, nobody knows how many,"
	}
	return fmt.Sprintf("%d %s", f.Messages, noun)
}

// where lists some places.
func (f *Finding) where() string {
	const most = 3
	var list []string
	for i := range f.Places {
		if i == most {
			list = append(list, fmt.Sprintf("and %d more", len(f.Places)-most))
			break
		}
		p := &f.Places[i]
		s := p.String()
		if p.Messages > 0 && len(f.Places) > 1 {
			s = fmt.Sprintf("%d in %s", p.Messages, s)
		}
		if p.First >= 0 {
			s += fmt.Sprintf(" (offsets %d to %d)", p.First, p.Last)
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return ""
	}
	return ", " + strings.Join(list, ", ")
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func isAre(n uint64) string   { return plural(n, "is", "are") }
func hasHave(n uint64) string { return plural(n, "has", "have") }
func wasWere(n uint64) string { return plural(n, "was", "were") }
