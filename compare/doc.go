// Package compare judges whether what went into a pipeline came out of it: from what
// the tiers have counted in a window to findings, and from findings to a verdict.
//
// A [Pipeline] is tiers in order. What each tier has counted in a window is its
// [Side]: [Part]s, one for each source, and [Doubt]s, the reasons for which more may
// have passed than was counted. [Judge] compares each tier with the one before it and
// says what is missing, duplicated, altered, late or unknown, and in which numbers:
//
//	sides ──► pairs of tiers ──► findings ──► verdict: the gravest of them
//
// A [Verdict] is about a window, a [Standing] about a topic: how far each tier has been
// counted, and what holds it up. Windows of which there is no verdict, because nobody
// has counted a message in them, are complete at zero up to where the standing says
// that everything has been counted, and unknown after it.
//
// Everything here is pure: no clock, no I/O, nothing is remembered. The same input
// gives the same verdict for ever, so that a verdict can be checked long after.
package compare
