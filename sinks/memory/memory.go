// Package memory is a sink that keeps records, verdicts and alerts in memory: to try
// chaperone out without a store, and for tests. What it holds ends with the process.
package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// Options bound what is kept.
type Options struct {
	// MaxAge is how long after its end a window is kept; 0 is for ever.
	MaxAge time.Duration
	// Now is the clock for it; nil is time.Now.
	Now func() time.Time
}

// A Sink keeps the newest record of each identity, window records and what
// progress says of recounts, the newest verdict of each window and the newest
// word of each alert. Records of kinds that no question asks for are accepted and
// not kept. Safe for concurrent use.
type Sink struct {
	opts Options

	mu       sync.RWMutex
	topics   map[string]map[string]*audit.Record // by topic and identity key
	verdicts map[judged]*compare.Verdict
	alerts   map[string]*query.Alert // by key
	swept    int64                   // Unix seconds of the last sweep
}

// New makes an empty one.
func New(opts Options) *Sink {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Sink{opts: opts, topics: map[string]map[string]*audit.Record{}, verdicts: map[judged]*compare.Verdict{}, alerts: map[string]*query.Alert{}}
}

// Write implements sinks.Sink. A batch is stored whole or not at all.
func (s *Sink) Write(ctx context.Context, batch []*audit.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, r := range batch {
		if r.Kind == audit.KindWindow && r.Tally == nil {
			return fmt.Errorf("write the record %s: it is of a window and says nothing of it: %w", r.Key(), sinks.ErrRejected)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range batch {
		switch {
		case r.Kind == audit.KindWindow:
			s.put(r.IdentityKey(), r)
		case r.Kind == audit.KindProgress && r.Progress != nil:
			s.keepBases(r)
		}
	}
	s.sweep()
	return nil
}

func (s *Sink) put(key string, r *audit.Record) {
	held := s.topics[r.Topic]
	if held == nil {
		held = map[string]*audit.Record{}
		s.topics[r.Topic] = held
	}
	if old := held[key]; old == nil || r.Version > old.Version {
		held[key] = clone(r)
	}
}

// keepBases keeps what a progress record says of recounts, partition by
// partition: the next one may be silent about a partition, and its base stands.
func (s *Sink) keepBases(r *audit.Record) {
	for _, p := range r.Progress.Sources {
		if p.Base <= 0 {
			continue
		}
		about := &audit.Record{Kind: r.Kind, Identity: r.Identity, Version: p.Base} // so the highest base stays
		about.Partition = p.Partition
		about.Progress = &audit.Progress{Sources: []audit.SourceProgress{{Partition: p.Partition, Base: p.Base}}}
		s.put(about.IdentityKey(), about)
	}
}

// sweep drops what is too old, once a minute at most.
func (s *Sink) sweep() {
	now := s.opts.Now().Unix()
	if s.opts.MaxAge <= 0 || now < s.swept+60 {
		return
	}
	s.swept = now
	ended := now - int64(s.opts.MaxAge/time.Second)
	s.sweepVerdicts(ended)
	s.sweepAlerts(ended)
	for topic, held := range s.topics {
		maps.DeleteFunc(held, func(_ string, r *audit.Record) bool {
			return r.Kind == audit.KindWindow && r.End() <= ended
		})
		if len(held) == 0 {
			delete(s.topics, topic)
		}
	}
}

// Windows implements query.Source.
func (s *Sink) Windows(ctx context.Context, q query.Windows) ([]query.Row, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return query.Group(q, maps.Values(s.topics[q.Topic])), nil
}

// Topics implements query.Source.
func (s *Sink) Topics(ctx context.Context, from, to int64) ([]query.Topic, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return query.GroupTopics(from, to, func(yield func(*audit.Record) bool) {
		for _, held := range s.topics {
			for _, r := range held {
				if !yield(r) {
					return
				}
			}
		}
	}), nil
}

// Close implements sinks.Sink. What was written stays readable.
func (s *Sink) Close() error { return nil }

// clone copies what questions are answered from, and shares nothing.
func clone(r *audit.Record) *audit.Record {
	c := &audit.Record{Kind: r.Kind, Identity: r.Identity, Version: r.Version, Base: r.Base, Owner: r.Owner, Host: r.Host}
	if r.Tally != nil {
		tally := *r.Tally
		tally.Tally, tally.Sketch = r.Tally.Clone(), nil
		if r.Tally.Arrival != nil {
			arrival := r.Tally.Arrival.Clone()
			tally.Arrival = &arrival
		}
		c.Tally = &tally
	}
	if r.Progress != nil {
		progress := *r.Progress
		progress.Sources = slices.Clone(progress.Sources)
		c.Progress = &progress
	}
	if r.Original != nil {
		c.Original = &audit.OriginalCount{UUID: r.Original.UUID}
	}
	return c
}
