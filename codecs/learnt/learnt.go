// Package learnt keeps what codecs make of the schemas that messages name by number.
//
// A codec that is a [codecs.Learner] has [Schemas]. EventTime gets what was made of
// the schema of a message, and waits for nobody. Learn makes one request for all who
// ask at once, and what is made of the answer is kept for ever: registries never
// change a schema.
//
// Numbers that have no schema are another matter. They come out of messages, and
// broken or hostile ones name any number there is. So only some thousands of them are
// remembered, in a fixed amount of memory, and the operator is told of the first
// hundred. One that has been forgotten is asked for again, and the answer is the same:
// see [codecs.ErrNoSchema].
package learnt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/singleflight"

	"github.com/chaperone-audit/chaperone/codecs"
)

// Schemas are those of a registry that messages have named so far, each as the T that
// was made of it. The methods may be called from any goroutine.
type Schemas[T any] struct {
	codec    string
	registry codecs.Registry
	name     string
	env      *codecs.Env
	asking   singleflight.Group

	made    atomic.Pointer[table[T]]
	missing atomic.Pointer[missing] // nil as long as there are none

	mu   sync.Mutex // of changes to made and missing
	told int        // how often the operator was told that one is missing
}

// New makes Schemas that ask a registry. The names of the codec and of the registry
// are for people, whom env tells which schemas do not exist.
func New[T any](codec string, from codecs.Registry, name string, env *codecs.Env) *Schemas[T] {
	s := &Schemas[T]{codec: codec, registry: from, name: name, env: env}
	s.made.Store(newTable[T](minSlots))
	return s
}

// Get gives what was made of a schema; nil if it does not exist, see Missing, or if
// nothing is known of it yet. Neither takes a lock or allocates.
func (s *Schemas[T]) Get(id uint32) *T { return s.made.Load().get(id) }

// maxID is the last number that a schema can have: registries count with 32 bits and a
// sign.
const maxID = math.MaxInt32

// Missing says whether a schema is known not to exist.
func (s *Schemas[T]) Missing(id uint32) bool {
	if id > maxID {
		return true // whatever the registry: it is no number of one
	}
	m := s.missing.Load()
	return m != nil && m.has(id)
}

// Learn makes a schema known, or that it does not exist. It makes one attempt, and
// ends with ctx; one who gives up does not make those fail who ask for the same. What
// compile makes of the schema is not nil, and stands for it for ever. It is called by
// one at a time for each schema, and what it has to say of one is said once.
func (s *Schemas[T]) Learn(ctx context.Context, id uint32, compile func(codecs.Schema) *T) error {
	for {
		answer := s.asking.DoChan(strconv.FormatUint(uint64(id), 10), func() (gaveUp any, err error) {
			err = s.ask(ctx, id, compile)
			return ctx.Err() != nil, err
		})
		select {
		case a := <-answer:
			if a.Err != nil && a.Val == true && ctx.Err() == nil {
				continue // it was another who gave up
			}
			return a.Err
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", s.Subject(id), context.Cause(ctx))
		}
	}
}

// ask is Learn by one for all.
func (s *Schemas[T]) ask(ctx context.Context, id uint32, compile func(codecs.Schema) *T) error {
	if s.Get(id) != nil || s.Missing(id) {
		return nil // it was learnt a moment ago
	}
	schema, err := s.registry.Schema(ctx, id)
	switch {
	case err == nil:
		s.keep(id, compile(schema))
	case errors.Is(err, codecs.ErrNoSchema):
		s.lack(id)
	default:
		return fmt.Errorf("%s: %w", s.Subject(id), err)
	}
	return nil
}

func (s *Schemas[T]) keep(id uint32, made *T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.made.Load()
	if t.full() {
		t = t.larger()
	}
	t.put(id, made)
	s.made.Store(t)
}

// maxTold bounds how often the operator is told that a schema is missing.
const maxTold = 100

func (s *Schemas[T]) lack(id uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.missing.Load()
	if m == nil {
		m = &missing{}
		s.missing.Store(m)
	}
	m.add(id)
	if s.told < maxTold {
		s.told++
		s.env.Say("%s: %s does not exist; messages that name it are malformed", s.codec, s.Subject(id))
	}
}

// Subject names a schema for people.
func (s *Schemas[T]) Subject(id uint32) string {
	return fmt.Sprintf("schema %d of registry %s", id, s.name)
}
