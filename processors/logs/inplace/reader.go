package inplace

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A Reader reads the sources of one cluster in place.
//
// There are two kinds of locks. That of the Reader guards which source is read
// where, and is held for moments. Each source has one that is held while its sink
// is called; it is taken before the Reader's, never after.
type Reader struct {
	client []kgo.Opt
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	sought chan struct{} // wakes the finder
	// patience is how long a source may go without being served: leaders move,
	// brokers restart. Then those who wait for it should hear of it.
	patience time.Duration
	// hung and slow are when a broker that does not answer is given up: as a rule,
	// and if it may be sending much.
	hung, slow time.Duration
	rack       string        // of this instance; empty if brokers need not know
	bytes      int           // of all responses that are on their way
	turn       chan struct{} // of inflaters that need much

	mu       sync.Mutex
	closed   bool
	lanes    [lanes]*kgo.Client // connections; nil until needed
	sources  map[audit.Source]*source
	homeless map[*source]struct{} // whose leader has to be looked for
	fetchers map[fetcherKey]*fetcher
	past     map[audit.Source]epochs // of sources that are not open, for when they are again
}

var _ logs.Reader = (*Reader)(nil)

// Options of a Reader.
type Options struct {
	// Client says how to connect: brokers, TLS, SASL, client id, rack.
	Client []kgo.Opt
	// FetchBytes is how much all brokers together may send at a time, 32 MiB if 0; as
	// much again is in hand. A batch that is larger than its broker's share comes all
	// the same, or there would be no getting past it.
	FetchBytes int
}

// New makes a Reader. It connects when there is something to read.
func New(o Options) (*Reader, error) { return newReader(o, hungAfter, slowAfter) }

func newReader(o Options, hung, slow time.Duration) (*Reader, error) {
	if o.FetchBytes == 0 {
		o.FetchBytes = 32 << 20
	}
	r := &Reader{
		// A batch of any size is read. Others retry and time out as they like; we ask
		// again ourselves.
		client: append(o.Client[:len(o.Client):len(o.Client)], kgo.BrokerMaxReadBytes(1<<30), kgo.DialTimeout(hung),
			kgo.RequestTimeoutOverhead(hung), kgo.RetryTimeout(hung)),
		hung: hung, slow: slow, bytes: o.FetchBytes, turn: make(chan struct{}, 1), sought: make(chan struct{}, 1), patience: 15 * time.Second, sources: map[audit.Source]*source{}, homeless: map[*source]struct{}{}, fetchers: map[fetcherKey]*fetcher{}, past: map[audit.Source]epochs{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	first, err := r.lane(0)
	if err != nil {
		return nil, fmt.Errorf("make a reader: %w", err)
	}
	r.rack, _ = first.OptValue(kgo.Rack).(string)
	r.work.Go(r.find)
	return r, nil
}

// lane gives the connections of one of the lanes. Locked, but in New.
func (r *Reader) lane(i int) (*kgo.Client, error) {
	if r.lanes[i] == nil {
		c, err := kgo.NewClient(r.client...)
		if err != nil {
			return nil, err
		}
		r.lanes[i] = c
	}
	return r.lanes[i], nil
}

// A source is a source that is open.
type source struct {
	audit.Source
	sink logs.Sink

	mu            sync.Mutex // held while the sink is called
	at            place      // handed over up to here
	paused        bool
	ended         bool  // closed or lost: the sink is not called any more
	bad           int   // how often what lies at the position could not be read
	stable, start int64 // as last said to the sink

	// Guarded by the Reader's lock. slot is nil while the leader is looked for and
	// while the source is paused; home is where it was read last.
	slot   *slot
	home   *fetcher
	lead   lead
	follow time.Time // since when it is read from a follower; zero if from its leader
	// shunned is when a follower that it was to be read from has failed last.
	shunned time.Time
	losing  bool      // its last call is under way
	tries   int       // since it was served
	due     time.Time // not looked for before
	since   time.Time // since when it is not served; zero if it is
	why     error     // ... and why not
	seen    epochs    // of what was handed over
	absent  time.Time // since when it is said not to exist, or to be another one
}

// Open begins to read a source: it is looked for.
func (r *Reader) Open(src audit.Source, from logs.Position, sink logs.Sink) error {
	s := &source{Source: src, sink: sink, at: place{from.Next, from.Epoch}, stable: -1, start: -1, since: time.Now()}
	if from.Epoch < 0 || src.TopicID == (audit.TopicID{}) { // else nobody would notice another log under the same name
		s.at.next = from.Again()
	}
	for {
		r.mu.Lock()
		old := r.sources[src]
		switch {
		case r.closed:
			r.mu.Unlock()
			return fmt.Errorf("read %s: the reader is shut down", src)
		case old == nil:
			r.sources[src] = s
			s.seen = r.past[src].upTo(from)
			delete(r.past, src)
			r.seek(s, nil)
			r.mu.Unlock()
			return nil
		case !old.losing:
			r.mu.Unlock()
			return fmt.Errorf("read %s: already open", src)
		}
		r.mu.Unlock()
		old.mu.Lock()   // its last call returns
		old.mu.Unlock() //nolint:staticcheck // nothing is to be done but to wait
	}
}

// Resume goes on with a paused source, where it was read before: whether it has
// moved meanwhile will turn out.
func (r *Reader) Resume(src audit.Source) {
	s := r.source(src)
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.paused || s.ended {
		return
	}
	s.paused = false
	r.mu.Lock()
	defer r.mu.Unlock()
	s.home.add(s)
}

// Close ends the reading of a source.
func (r *Reader) Close(src audit.Source) {
	s := r.source(src)
	if s == nil {
		return
	}
	s.mu.Lock() // waits for a call of the sink
	defer s.mu.Unlock()
	s.ended = true
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remove(s)
}

func (r *Reader) source(src audit.Source) *source {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sources[src]
}

// Shutdown closes all sources, then the connections.
func (r *Reader) Shutdown(context.Context) error {
	r.mu.Lock()
	r.closed = true
	var open []audit.Source
	for src := range r.sources {
		open = append(open, src)
	}
	r.mu.Unlock()
	r.cancel()
	for _, src := range open {
		r.Close(src)
	}
	r.work.Wait()
	for _, c := range r.lanes {
		if c != nil {
			c.Close()
		}
	}
	return nil
}

// remove forgets a source. Locked.
func (r *Reader) remove(s *source) {
	r.leave(s)
	delete(r.homeless, s)
	if r.sources[s.Source] == s {
		delete(r.sources, s.Source)
		if len(r.past) > mostPast {
			clear(r.past)
		}
		r.past[s.Source] = s.seen
	}
}

// leave takes a source out of its session. Locked.
func (r *Reader) leave(s *source) {
	if s.slot != nil {
		s.home.session.drop(s.slot)
		s.slot = nil
	}
}

// seek has the leader of a source looked for, because of why. Locked.
func (r *Reader) seek(s *source, why error) {
	r.leave(s)
	now := time.Now()
	if s.since.IsZero() {
		s.since = now
	}
	if why != nil && !s.follow.IsZero() {
		if now.Sub(s.shunned) > followFor { // patience is for the leader, which has not been tried
			s.since = now
		}
		s.shunned = now
	}
	s.follow = time.Time{}
	s.due = now.Add(backoff(s.tries))
	if s.why = why; why != nil {
		s.tries++
	}
	r.homeless[s] = struct{}{}
	wake(r.sought)
}

// backoff is the pause before another try: none before the first, then from 50 ms
// to a second.
func backoff(tries int) time.Duration {
	if tries == 0 {
		return 0
	}
	return min(time.Second, 25*time.Millisecond<<min(tries, 10))
}

// lose tells the sink that its source is lost, unless it is closed. Not locked.
func (r *Reader) lose(s *source, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended = true
	r.mu.Lock()
	s.losing = true
	r.leave(s)
	delete(r.homeless, s)
	r.mu.Unlock()
	s.sink.Lost(fmt.Errorf("read %s: %w", s.Source, err))
	r.mu.Lock()
	r.remove(s)
	r.mu.Unlock()
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
