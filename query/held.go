package query

import (
	"fmt"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// A Held says which window keeps a topic from being complete any further, and why.
type Held struct {
	audit.Window
	State compare.State
	Kind  compare.Kind // of the window
	// Reason is the finding's, or why nothing is known.
	Reason compare.Reason
	// Finding speaks against the window; nil: it is only that not enough is known yet.
	Finding *compare.Finding
	// Tiers are those that have not been counted up to the end of the window.
	Tiers []compare.Reach
}

func heldBy(w *WindowCompleteness, s *compare.Standing) *Held {
	h := &Held{Window: w.Window, State: w.State, Kind: w.Kind, Reason: w.reason, Finding: w.finding}
	if h.Finding != nil {
		h.Reason = h.Finding.Reason
	}
	if w.reason != Unsettled {
		return h
	}
	for _, r := range s.Tiers {
		if r.Until < w.End()*1000 {
			h.Tiers = append(h.Tiers, r)
		}
	}
	return h
}

// Pair names the tiers, or the tier, that it is about; empty where it is about none.
func (h *Held) Pair() (from, to string) {
	switch {
	case h.Finding != nil:
		return h.Finding.From, h.Finding.To
	case len(h.Tiers) > 0:
		return "", h.Tiers[0].Tier
	}
	return "", ""
}

// Sentence says it in plain words, without a stop at its end.
func (h *Held) Sentence() string {
	switch {
	case h.Finding != nil:
		return h.Finding.Sentence()
	case h.Reason == Unheard && h.Size == 0:
		return "nobody has heard of the topic: is it audited, and is its name right?"
	case h.Reason == Unheard:
		return "nothing is known of the time before chaperone began to count the topic"
	case h.Reason == Forgotten:
		return "it is older than what is kept"
	case h.Reason == NotEnded:
		return "the window has not ended"
	case len(h.Tiers) == 0:
		return "the window has ended; messages may be on their way until its grace is over"
	}
	var list []string
	for i := range h.Tiers {
		list = append(list, ReachSentence(&h.Tiers[i]))
	}
	return "the window has ended, and is not counted everywhere: " + strings.Join(list, "; ")
}

// ReachSentence says how far a tier has been counted, and what holds it up.
func ReachSentence(r *compare.Reach) string {
	s := fmt.Sprintf("nobody has said how far %s is counted", r.Tier)
	if r.Until > 0 {
		s = fmt.Sprintf("%s is counted up to %s", r.Tier, clock(r.Until))
	}
	const most = 3
	for i := range r.Holds {
		if i == most {
			return s + fmt.Sprintf(" and %d more", len(r.Holds)-most)
		}
		h := &r.Holds[i]
		s += [...]string{", held by ", ", by ", ", by "}[i] + h.Place.String() + " (" + holdWords(h) + ")"
	}
	return s
}

func holdWords(h *compare.Hold) string {
	words := map[compare.Reason]string{
		compare.Uncounted:  "not counted further",
		compare.Unreported: "nobody counts it, or its cluster is away",
		compare.OpenTx:     "an open transaction",
		compare.Vanished:   "it fell silent without goodbye",
	}[h.Reason]
	if words == "" {
		words = string(h.Reason)
	}
	if h.Until > 0 {
		words += " than " + clock(h.Until)
		if h.Reason != compare.Uncounted {
			words = strings.Replace(words, " than ", ", counted up to ", 1)
		}
	}
	return words
}

// clock is a moment in Unix milliseconds, for people.
func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05Z") }
