package shards

import (
	"iter"
	"sync"

	"github.com/lovoo/goka/storage"
	"github.com/tidwall/btree"
)

// A Store is an ordered in-memory goka storage of one table partition. goka's
// own memory storage sorts all keys again whenever one is added. Safe for
// concurrent use.
type Store struct {
	mu     sync.RWMutex
	m      *btree.Map[string, []byte]
	bytes  int
	offset int64
	set    bool // offset is
	closed bool // by Release
}

var _ storage.Storage = (*Store)(nil)

// NewStore gives an empty one.
func NewStore() *Store { return &Store{m: btree.NewMap[string, []byte](64)} }

// Open, Close and MarkRecovered have nothing to do.
func (s *Store) Open() error          { return nil }
func (s *Store) Close() error         { return nil }
func (s *Store) MarkRecovered() error { return nil }

// Has says whether a key is there.
func (s *Store) Has(key string) (bool, error) {
	v, _ := s.Get(key)
	return v != nil, nil
}

// Get gives the value of a key, nil if there is none. It must not be changed.
func (s *Store) Get(key string) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v, _ := s.m.Get(key)
	return v, nil
}

// Set copies the value: what sarama hands out is a slice of a whole fetch
// response, which it would keep from being freed.
func (s *Store) Set(key string, value []byte) error {
	v := append(make([]byte, 0, len(value)), value...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	old, replaced := s.m.Set(key, v)
	s.bytes += len(v) - len(old)
	if !replaced {
		s.bytes += len(key)
	}
	return nil
}

// Delete removes a key, if it is there.
func (s *Store) Delete(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.m.Delete(key); ok {
		s.bytes -= len(key) + len(old)
	}
	return nil
}

// Release lets go of all entries, and takes none from now on, but offsets: for
// who has taken out what was recovered and knows what it writes itself. Held by
// both, it would be held twice.
func (s *Store) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m, s.bytes, s.closed = btree.NewMap[string, []byte](64), 0, true
}

// Len is the number of keys, Bytes what keys and values take.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m.Len()
}

// Bytes is the size of all keys and values.
func (s *Store) Bytes() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.bytes
}

// GetOffset gives the offset last set, or the default.
func (s *Store) GetOffset(def int64) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.set {
		return def, nil
	}
	return s.offset, nil
}

// SetOffset remembers how far the table topic has been read.
func (s *Store) SetOffset(offset int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset, s.set = offset, true
	return nil
}

// All yields keys and values in order of keys, from a snapshot.
func (s *Store) All() iter.Seq2[string, []byte] { return s.Range("", "") }

// Range yields the keys from start up to, not including, limit, in order, from
// a snapshot; an empty limit is no limit.
func (s *Store) Range(start, limit string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		it := s.snapshot().Iter()
		for ok := it.Seek(start); ok && (limit == "" || it.Key() < limit); ok = it.Next() {
			if !yield(it.Key(), it.Value()) {
				return
			}
		}
	}
}

// snapshot shares the tree copy-on-write, and for that marks it: hence the lock.
func (s *Store) snapshot() *btree.Map[string, []byte] {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m.Copy()
}

// Iterator goes over all keys.
func (s *Store) Iterator() (storage.Iterator, error) { return s.IteratorWithRange(nil, nil) }

// IteratorWithRange goes over a snapshot, from start to before limit.
func (s *Store) IteratorWithRange(start, limit []byte) (storage.Iterator, error) {
	return &storeIterator{it: s.snapshot().Iter(), start: string(start), limit: string(limit)}, nil
}

type storeIterator struct {
	it           btree.MapIter[string, []byte]
	start, limit string
	on           bool
}

func (i *storeIterator) Next() bool {
	if !i.on {
		return i.Seek([]byte(i.start))
	}
	return i.it.Next() && i.inside()
}

func (i *storeIterator) Seek(key []byte) bool {
	i.on = true
	return i.it.Seek(string(key)) && i.inside()
}

func (i *storeIterator) inside() bool           { return i.limit == "" || i.it.Key() < i.limit }
func (i *storeIterator) Key() []byte            { return []byte(i.it.Key()) }
func (i *storeIterator) Value() ([]byte, error) { return i.it.Value(), nil }
func (i *storeIterator) Err() error             { return nil }
func (i *storeIterator) Release()               {}
