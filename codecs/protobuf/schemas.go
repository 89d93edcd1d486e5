package protobuf

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/chaperone-audit/chaperone/codecs"
)

// schemas are those of a registry that messages have named so far. Its methods may be
// called from any goroutine; get takes no lock for schemas that exist.
type schemas struct {
	registry codecs.Registry
	name     string
	fields   codecs.Fields
	env      *codecs.Env

	known atomic.Pointer[map[uint32]*messageType] // replaced, never changed; no more than the registry has

	mu      sync.RWMutex
	absent  map[uint32]bool
	flights map[uint32]*flight
}

// A flight is a request that is under way.
type flight struct {
	done chan struct{} // closed when schema and err are set
	err  error
}

// maxAbsent bounds absent, since their numbers come out of messages. Beyond it all are
// forgotten, and asked for again.
const maxAbsent = 1 << 16

// nothing is a schema in which no message type is found. It stands for those that do
// not exist or are of no use.
var nothing = &messageType{}

func (s *schemas) get(id uint32) (t *messageType, known bool) {
	if m := s.known.Load(); m != nil {
		if t, known = (*m)[id]; known {
			return t, true
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return nothing, s.absent[id]
}

// learn gets a schema, with one request for all who ask at once.
func (s *schemas) learn(ctx context.Context, id uint32) (*messageType, error) {
	s.mu.Lock()
	f := s.flights[id]
	mine := f == nil
	if mine {
		f = &flight{done: make(chan struct{})}
		if s.flights == nil {
			s.flights, s.absent = map[uint32]*flight{}, map[uint32]bool{}
		}
		s.flights[id] = f
	}
	s.mu.Unlock()
	if mine {
		f.err = s.fly(ctx, id)
		s.mu.Lock()
		delete(s.flights, id)
		s.mu.Unlock()
		close(f.done)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, f.err
	}
	t, _ := s.get(id)
	return t, nil
}

// fly makes one request, if it is still needed, and keeps the answer.
func (s *schemas) fly(ctx context.Context, id uint32) error {
	if _, known := s.get(id); known {
		return nil
	}
	schema, err := s.registry.Schema(ctx, id)
	if errors.Is(err, codecs.ErrNoSchema) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.absent) >= maxAbsent {
			clear(s.absent)
		}
		s.absent[id] = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("get schema %d from registry %s: %w", id, s.name, err)
	}
	t, err := s.compile(ctx, id, schema)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := map[uint32]*messageType{}
	if old := s.known.Load(); old != nil {
		m = maps.Clone(*old)
	}
	m[id] = t
	s.known.Store(&m)
	return nil
}

// compile says of a schema that is of no use, once, that it is.
func (s *schemas) compile(ctx context.Context, id uint32, schema codecs.Schema) (*messageType, error) {
	if schema.Type != "PROTOBUF" {
		s.env.Say("registry %s: schema %d is of type %s, not PROTOBUF; messages with it are malformed", s.name, id, schema.Type)
		return nothing, nil
	}
	t, err := compileSchema(ctx, id, schema, s.fields)
	switch {
	case err == nil:
		return t, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	s.env.Say("registry %s: schema %d does not compile, messages with it are malformed: %v; fields by number need no schema", s.name, id, err)
	return nothing, nil
}
