package count

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/settings"
)

// A Start is the policy where counting of a source begins that nobody has
// counted before. The zero value is Earliest.
type Start struct {
	kind startKind
	at   time.Time
}

type startKind uint8

const (
	startEarliest startKind = iota
	startLatest
	startTime
)

// Earliest counts all that the log still has.
func Earliest() Start { return Start{} }

// Latest counts from now on what exists now, and from its beginning what comes
// later. "Now" is decided once for a deployment and cluster, and kept.
func Latest() Start { return Start{kind: startLatest} }

// At counts from the first message whose record timestamp is t or later.
func At(t time.Time) Start { return Start{kind: startTime, at: t} }

// Starts keeps the decision of Latest: settings.Settings does.
type Starts interface {
	StartOf(ctx context.Context, cluster string, listing map[string]int32) (*settings.Start, error)
}

// startOffsets gives where counting of new sources of a cluster begins. Sources
// whose edges are not known are left out.
func (p *Processor) startOffsets(ctx context.Context, c *cluster, sources []audit.Source, ends map[audit.Source]edges) (map[audit.Source]int64, error) {
	offsets := make(map[audit.Source]int64, len(sources))
	var timed []audit.Source
	var from time.Time
	switch p.o.Start.kind {
	case startTime:
		timed, from = sources, p.o.Start.at
	case startLatest:
		decided, err := p.o.Starts.StartOf(ctx, c.Name, p.dir.listing(c.Name))
		if err != nil {
			return nil, fmt.Errorf("where to start counting cluster %s: %w", c.Name, err)
		}
		from = decided.Time
		for _, s := range sources {
			if decided.Existed(s) {
				timed = append(timed, s)
			}
		}
	}
	for _, s := range sources {
		if e, ok := ends[s]; ok {
			offsets[s] = e.start
		}
	}
	if len(timed) == 0 {
		return offsets, nil
	}
	found, err := c.offsets(timed, from.UnixMilli(), sarama.ReadUncommitted)
	for _, s := range timed {
		at, ok := found[s]
		switch e, known := ends[s]; {
		case !ok || !known:
			delete(offsets, s) // asked again later
		case at < 0: // nothing that late yet
			offsets[s] = e.end
		default:
			offsets[s] = at
		}
	}
	if len(found) == 0 && err != nil {
		return nil, err
	}
	return offsets, nil
}
