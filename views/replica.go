package views

import (
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// replica is one reading of a table: a store for each of its partitions, which
// a goka view fills. Its entries are rows of the form that package table has, and of
// no identity that it is not asked about.
type replica struct {
	read    func(key string, value []byte) (reading, error)
	outline *outline // of what is held; nil: there is none
	detail  time.Duration
	most    int // bytes of keys and values; 0 for no bound
	clock   func() time.Time
	now     atomic.Int64 // newest append time of a record seen, Unix milliseconds
	unread  atomic.Int64 // entries that this program cannot read

	cut      atomic.Int64 // windows that ended by then were dropped for want of room, Unix milliseconds
	updates  atomic.Int64
	trimming sync.Mutex

	mu     sync.Mutex
	stores map[int32]*shards.Store
}

// newReplica makes one of the collect table.
func newReplica(detail time.Duration, most int) *replica {
	return &replica{clock: time.Now, read: readCollected, detail: detail, most: most, stores: map[int32]*shards.Store{}}
}

// A reading is an entry that has been read.
type reading struct {
	table.Row
	hold     bool // it is of interest here
	verdict  *compare.Verdict
	standing *compare.Standing
}

// readCollected reads an entry of the collect table. What the judge has said is there too,
// for who judges next: those who ask have it from the topic of verdicts.
func readCollected(key string, value []byte) (reading, error) {
	if table.Judged(key) {
		return reading{}, nil
	}
	row, err := table.Parse(value)
	return reading{Row: row, hold: true}, err
}

// build is goka's storage builder.
func (r *replica) build(_ string, partition int32) (storage.Storage, error) {
	s := shards.NewStore()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stores[partition] = s
	return s, nil
}

// update is goka's update callback.
func (r *replica) update(ctx goka.UpdateContext, in storage.Storage, key string, value []byte) error {
	s, ok := in.(*shards.Store)
	if !ok { // goka's wrapping of what build has made
		s = r.store(ctx.Partition())
	}
	if value == nil {
		return r.drop(s, key)
	}
	e, err := r.read(key, value)
	if err != nil {
		r.unread.Add(1)
		return nil
	}
	if !e.hold {
		return nil
	}
	for now := r.now.Load(); e.Appended > now && !r.now.CompareAndSwap(now, e.Appended); now = r.now.Load() {
	}
	if r.old(&e.Row) {
		return r.drop(s, key)
	}
	if r.outline != nil {
		err = r.outline.set(s, key, &e)
	} else {
		err = s.Set(key, value)
	}
	r.grown()
	return err
}

// drop forgets a key, if it is held.
func (r *replica) drop(s *shards.Store, key string) error {
	if r.outline != nil {
		return r.outline.drop(s, key)
	}
	return s.Delete(key)
}

// slack is how much longer a window is held than Horizon promises, so that
// a question asked with it in mind is still answered completely.
const slack = 10 * time.Minute

// old says whether a row is beyond detail, or was dropped for want of room. What
// is no window is little, and is held for as long as the table has it.
func (r *replica) old(row *table.Row) bool {
	return row.Until != 0 && (row.Old(r.now.Load(), r.detail+slack) || r.most > 0 && r.ended(row) <= r.cut.Load())
}

// from is since when all windows are held, Unix milliseconds. Verdicts are deleted as the
// log's time goes on, also while nothing is judged: then only the clock tells.
func (r *replica) from() int64 {
	now := r.now.Load()
	if r.outline != nil && now > 0 {
		now = max(now, r.clock().UnixMilli())
	}
	return max(now-r.detail.Milliseconds(), r.cut.Load())
}

func (r *replica) store(partition int32) *shards.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stores[partition]
}

// partitions lists the stores; their index is the partition.
func (r *replica) partitions() []*shards.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*shards.Store, len(r.stores))
	for p, s := range r.stores {
		list[p] = s
	}
	return list
}

// sweep drops what has become old.
func (r *replica) sweep() {
	for _, s := range r.held() {
		for key, value := range s.All() {
			if row, err := table.Parse(value); err == nil && r.old(&row) {
				_ = r.drop(s, key) // cannot fail
			}
		}
	}
}

// held lists the stores that have been made, in no order.
func (r *replica) held() (list []*shards.Store) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.stores {
		list = append(list, s)
	}
	return list
}

func (r *replica) size() (rows, bytes int) {
	for _, s := range r.held() {
		rows += s.Len()
		bytes += s.Bytes()
	}
	return rows, bytes
}

// entry is the newest row of an identity.
type entry struct {
	identity string
	row      table.Row
}

// about yields what is held of a topic, of every topic if it is empty: of each
// identity the highest version.
func (r *replica) about(topic string) iter.Seq[entry] {
	list := r.partitions()
	var start, limit string
	if topic != "" {
		start = table.Prefix(topic, "")
		limit = table.Limit(start)
		list = list[shards.PartitionOf(start, int32(len(list))):][:1]
	}
	return func(yield func(entry) bool) {
		for _, s := range list {
			if !newest(s.Range(start, limit), yield) {
				return
			}
		}
	}
}

// newest yields the highest version of each identity. The entries of an identity
// follow each other.
func newest(rows iter.Seq2[string, []byte], yield func(entry) bool) (more bool) {
	var best entry
	for key, value := range rows {
		row, err := table.Parse(value)
		i := strings.LastIndexByte(key, '/')
		if err != nil || i < 0 {
			continue // neither comes into a store
		}
		switch {
		case best.identity != key[:i]:
			if best.identity != "" && !yield(best) {
				return false
			}
			best = entry{key[:i], row}
		case row.Newer(&best.row):
			best.row = row
		}
	}
	return best.identity == "" || yield(best)
}
