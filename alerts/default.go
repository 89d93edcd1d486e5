package alerts

import (
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// Defaults of a Config.
const (
	DefaultSpan   = 6 * time.Hour
	DefaultWait   = 30 * time.Second
	DefaultUpdate = 30 * time.Minute
	DefaultRepeat = 4 * time.Hour
	DefaultGrace  = 5 * time.Minute
)

// Classes that the default rules are about. A topic that no class has is Normal.
const (
	Critical = "critical"
	Normal   = "normal"
	Low      = "low"
)

// DefaultRules are for the three classes: for critical topics each message counts, for
// low ones only what is much.
func DefaultRules() []Rule {
	unsure := []compare.Reason{compare.Partial, compare.NoPipeline}
	bad := []compare.Reason{compare.Behind, compare.Arrived}
	var rules []Rule
	add := func(class string, s query.Severity, r Rule) {
		r.Name = class + "-" + string(r.Subject)
		r.Classes, r.Severity = []string{class}, s
		r.Grace, r.Repeat = DefaultGrace, DefaultRepeat
		rules = append(rules, r)
	}
	add(Critical, query.Page, Rule{Subject: Missing})
	add(Critical, query.Page, Rule{Subject: Altered})
	add(Critical, query.Ticket, Rule{Subject: Duplicated})
	add(Critical, query.Page, Rule{Subject: Unknown, For: 30 * time.Minute, Except: unsure})
	add(Critical, query.Ticket, Rule{Subject: Late, For: 30 * time.Minute, Reasons: bad})
	add(Critical, query.Ticket, Rule{Subject: Latency, Above: 5 * time.Minute, Messages: 20, For: 10 * time.Minute})
	add(Critical, query.Ticket, Rule{Subject: Skew, Above: time.Minute, For: 10 * time.Minute})
	add(Critical, query.Ticket, Rule{Subject: NoTime, Ratio: 0.001, For: 10 * time.Minute})
	add(Critical, query.Ticket, Rule{Subject: Malformed, Ratio: 0.001, For: 10 * time.Minute})
	add(Critical, query.Page, Rule{Subject: Lag, Above: 15 * time.Minute, For: 5 * time.Minute})
	add(Critical, query.Ticket, Rule{Subject: Silence, Above: 2 * time.Hour})

	add(Normal, query.Ticket, Rule{Subject: Missing})
	add(Normal, query.Ticket, Rule{Subject: Altered})
	add(Normal, query.Ticket, Rule{Subject: Duplicated, Ratio: 0.001})
	add(Normal, query.Ticket, Rule{Subject: Unknown, For: 2 * time.Hour, Except: unsure})
	add(Normal, query.Notice, Rule{Subject: Late, For: 2 * time.Hour, Ratio: 0.01, Reasons: bad})
	add(Normal, query.Notice, Rule{Subject: Skew, Above: 5 * time.Minute, For: 30 * time.Minute})
	add(Normal, query.Notice, Rule{Subject: Malformed, Ratio: 0.01, For: 30 * time.Minute})
	add(Normal, query.Ticket, Rule{Subject: Lag, Above: 30 * time.Minute, For: 10 * time.Minute})

	add(Low, query.Notice, Rule{Subject: Missing, Ratio: 0.01})
	add(Low, query.Notice, Rule{Subject: Altered, Ratio: 0.01})
	add(Low, query.Notice, Rule{Subject: Lag, Above: 2 * time.Hour, For: 30 * time.Minute})

	// About the audit itself: without it the others are silent.
	return append(rules, Rule{Name: "audit-stalled", Subject: Stalled, Above: 15 * time.Minute, Severity: query.Page, Grace: DefaultGrace, Repeat: DefaultRepeat})
}
