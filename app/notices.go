package app

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/chaperone-audit/chaperone/internal/health"
)

// notices are what codecs found wrong with what they learnt, such as a schema without
// the field that is configured. That does not pass by itself, and so health says it
// until the program is started anew. Safe for concurrent use.
type notices struct {
	part *health.Part
	log  *slog.Logger

	mu   sync.Mutex
	said []string
}

// mostNotices is how many are kept: who configures a codec for the wrong topics may
// have thousands.
const mostNotices = 100

func newNotices(part *health.Part, log *slog.Logger) *notices {
	part.OK()
	return &notices{part: part, log: log}
}

func (n *notices) say(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if slices.Contains(n.said, text) {
		return
	}
	n.log.Warn("a schema and the configuration do not go together", "what", text)
	if len(n.said) == mostNotices {
		return
	}
	n.said = append(n.said, text)
	more := ""
	switch {
	case len(n.said) == mostNotices:
		more = fmt.Sprintf(" (and %d or more others, in the log)", mostNotices-1)
	case len(n.said) > 1:
		more = fmt.Sprintf(" (and %d others, in the log)", len(n.said)-1)
	}
	n.part.Degraded(n.said[0] + more)
}
