package audit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// listener is a Reporter that keeps what an audit would keep: of each identity the
// highest version. It fails when it is told to, before or after it has taken some.
type listener struct {
	t    testing.TB
	mu   sync.Mutex
	best map[string]*Record
	fail func(n int) (taken int, err error) // of n records; nil for never
}

func listen(t testing.TB) *listener { return &listener{t: t, best: map[string]*Record{}} }

func (l *listener) Report(_ context.Context, records []*Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.fail != nil {
		var n int
		if n, err = l.fail(len(records)); err != nil {
			records = records[:n]
		}
	}
	for _, r := range records {
		if err := r.Validate(); err != nil {
			l.t.Errorf("record %+v: %v", r, err)
		}
		b, err := r.MarshalJSON()
		if err != nil {
			l.t.Errorf("record %+v: %v", r, err)
		}
		var again Record
		if err := again.UnmarshalJSON(b); err != nil {
			l.t.Errorf("%s: %v", b, err)
		}
		key := again.IdentityKey()
		if old := l.best[key]; old == nil || old.Version < again.Version {
			l.best[key] = &again
		} else if old.Version == again.Version && again.Tally != nil && old.Tally.LawHash() != again.Tally.LawHash() {
			l.t.Errorf("%s version %d says two things", key, again.Version)
		}
	}
	return err
}

// heal makes it fail no more.
func (l *listener) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = nil
}

// sum is what the audit says of a topic: over windows and segments.
func (l *listener) sum(topic string) (c counts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.best {
		if r.Kind == KindWindow && r.Topic == topic {
			c.Tally.Merge(&r.Tally.Tally)
			c.attempts += r.Client.Attempts
			c.failures += r.Client.Failures
		}
	}
	return c
}

func (l *listener) of(kind Kind, topic string) (list []*Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.best {
		if r.Kind == kind && r.Topic == topic {
			list = append(list, r)
		}
	}
	return list
}

func mustRecorder(t testing.TB, o Options) *Recorder {
	t.Helper()
	r, err := NewRecorder(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARecorderSaysWhatPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Minute) // such tests begin at midnight
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "edge", Datacenter: "dc1", Reporter: l, Instance: "app-1", Host: "h"})
		orders := r.Topic("orders")
		now := time.Now().UnixMilli()
		p := &Passage{Key: []byte("k"), Value: []byte("value"), Time: now - 1000}
		orders.Track(p)
		orders.Attempt(p)
		orders.Success(p)
		orders.Attempt(p)
		orders.Failure(p)
		orders.Attempt(p) // nobody ever says what became of it
		orders.Track(&Passage{Value: []byte("x")})
		orders.Track(&Passage{Value: []byte("x"), Malformed: true})
		orders.Track(&Passage{Value: []byte("x"), Time: 1})
		orders.Track(&Passage{Value: []byte("x"), Time: now + 2*3600_000})
		if l.sum("orders").attempts != 0 {
			t.Error("it reports at once")
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		c := l.sum("orders")
		if c.Count != 6 || c.attempts != 8 || c.failures != 1 || c.Bytes != 2*6+4 || c.NoTime != 1 || c.Malformed != 1 || c.OutOfBounds != 2 {
			t.Errorf("it says %+v", c)
		}
		var want Tally
		for range 2 {
			want.Add(&Event{Bytes: 6, Hash: Hash(p.Key, p.Value), Moment: Moment(p.Key, p.Time), Latency: 1000})
		}
		for _, class := range []Class{NoTime, Malformed, OutOfBounds, OutOfBounds} {
			want.Add(&Event{Bytes: 1, Hash: Hash(nil, []byte("x")), Moment: Moment(nil, 0), Class: class})
		}
		if !c.Tally.Equal(&want) {
			t.Errorf("tally\n%+v, want\n%+v", c.Tally, want)
		}
		w := l.of(KindWindow, "orders")[0]
		if w.Tier != "edge" || w.Datacenter != "dc1" || w.Instance != "app-1" || w.Host != "h" || w.Partition != NoPartition || w.Size != 600 || w.Tally.LatencyBasis != BasisClock {
			t.Errorf("record %+v", w)
		}
		if len(l.of(KindHello, "orders")) != 1 || len(l.of(KindGoodbye, "orders")) != 0 {
			t.Error("hello is not said, or goodbye is")
		}
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		bye := l.of(KindGoodbye, "orders")
		if len(bye) != 1 || bye[0].Client.Records != 1 || bye[0].Client.Attempts != 8 || bye[0].Client.Successes != 6 || bye[0].Client.Failures != 1 || bye[0].Client.Uncounted != 0 {
			t.Errorf("goodbye %+v", bye)
		}
		orders.Track(p)
		if s := r.Stats(); s.Uncounted != 1 || s.Pending != 0 {
			t.Errorf("after the end: %+v", s)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The original reported only when somebody counted: a quiet topic's last window was
// never said.
func TestAQuietTopicIsReportedWhenItsWindowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Minute)
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l, Every: 24 * time.Hour})
		defer r.Close(context.Background())
		end := WindowAt(time.Now().UnixMilli(), 600).To()
		r.Topic("quiet").Track(&Passage{Time: time.Now().UnixMilli()})
		time.Sleep(time.Until(end) - time.Second)
		synctest.Wait()
		if l.sum("quiet").Count != 0 {
			t.Error("it is reported before")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if l.sum("quiet").Count != 1 {
			t.Error("it is not reported after the window's end")
		}
	})
}

// Silence is silence only if somebody says so.
func TestProgressGoesOnWhenNothingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l})
		defer r.Close(context.Background())
		r.Topic("quiet").Track(&Passage{Time: time.Now().UnixMilli()})
		var last *Record
		for i := range 10 {
			time.Sleep(quietRounds*10*time.Second + time.Second)
			synctest.Wait()
			p := l.of(KindProgress, "quiet")
			if len(p) != 1 {
				t.Fatalf("progress of %d owners", len(p))
			}
			s := p[0].Progress.Sources[0]
			if s.Total != 1 || s.CaughtUp != CaughtUpYes || time.Since(time.UnixMilli(s.Time)) > quietRounds*10*time.Second+time.Second {
				t.Errorf("round %d: %+v", i, s)
			}
			if last != nil && (p[0].Version <= last.Version || p[0].Progress.AskedAfter != p[0].Version-1) {
				t.Errorf("round %d: version %d after %d, asked after %d", i, p[0].Version, last.Version, p[0].Progress.AskedAfter)
			}
			last = p[0]
		}
	})
}

// Whatever the reporter loses, repeats or refuses: in the end everything is said once.
func TestWhatFailsIsSaidAgain(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		rng, faults := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
		l := listen(t)
		l.fail = func(n int) (int, error) {
			if faults.IntN(2) == 0 {
				return faults.IntN(n + 1), errors.New("the network is down")
			}
			return n, nil
		}
		var told atomic.Int64
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l, Windows: 3, Every: time.Second, Window: time.Minute, OnError: func(error) { told.Add(1) }})
		var want [3]Tally
		for range 3000 {
			i := rng.IntN(3)
			at := time.Now().UnixMilli() - rng.Int64N(20*60_000)
			p := &Passage{Key: fmt.Append(nil, rng.IntN(1000)), Value: []byte("v"), Time: at}
			r.Topic(fmt.Sprint("t", i)).Track(p)
			want[i].Add(&Event{Bytes: len(p.Key) + 1, Hash: Hash(p.Key, p.Value), Moment: Moment(p.Key, at), Latency: time.Now().UnixMilli() - at})
			time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
		}
		l.heal()
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			topic := fmt.Sprint("t", i)
			if got := l.sum(topic).Tally; !got.Equal(&want[i]) {
				t.Errorf("%s:\n%+v, want\n%+v", topic, got, want[i])
			}
			bye := l.of(KindGoodbye, topic)
			if n := len(l.of(KindWindow, topic)); len(bye) != 1 || bye[0].Client.Records != uint64(n) || bye[0].Client.Successes != want[i].Count {
				t.Errorf("%s: goodbye %+v of %d windows", topic, bye, n)
			}
		}
		if told.Load() == 0 {
			t.Error("nobody was told of failures")
		}
		if s := r.Stats(); s.Pending != 0 || s.Lost != 0 || s.Uncounted != 0 || s.Failures == 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// What is dropped, because nobody takes it for too long, is said to be.
func TestWhatCannotBeReportedIsBoundedAndSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t)
		l.fail = func(int) (int, error) { return 0, errors.New("down") }
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l, Windows: 2, Pending: 10, Every: time.Second})
		const n = 500
		for i := range n { // each in a window of its own
			r.Topic("scattered").Track(&Passage{Time: time.Now().UnixMilli() - int64(i)*600_000, Value: []byte("v")})
			if i%50 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		s := r.Stats()
		if s.Lost == 0 || s.Pending > 12 {
			t.Errorf("stats %+v", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := r.Close(ctx); err == nil || !strings.Contains(err.Error(), "windows with") || !strings.Contains(err.Error(), "scattered") || !strings.Contains(err.Error(), "down") {
			t.Errorf("the end says %v", err)
		}
		if len(l.of(KindGoodbye, "scattered")) != 0 {
			t.Error("goodbye, although something is missing")
		}
	})
}

func TestCountingFromManyGoroutines(t *testing.T) {
	for _, f := range []Fingerprint{NoFingerprint, SumFingerprint, PowerSumFingerprint} {
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l, Every: 5 * time.Millisecond, Fingerprint: f})
		const goroutines, each = 8, 3000
		var wg sync.WaitGroup
		var want Tally
		for i := range goroutines * each {
			want.Fingerprint += Hash(fmt.Append(nil, i), nil)
			want.PowerSums.Add(Hash(fmt.Append(nil, i), nil))
		}
		now := time.Now().UnixMilli()
		for i := range goroutines * each {
			want.Moments.Add(Moment(fmt.Append(nil, i), now-int64(i%each)*1000))
		}
		for g := range goroutines {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range each {
					r.Topic(fmt.Sprint("t", i%2)).Track(&Passage{Key: fmt.Append(nil, g*each+i), Time: now - int64(i)*1000})
				}
			}()
		}
		wg.Wait()
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, b := l.sum("t0"), l.sum("t1")
		got.merge(&b)
		if got.Count != goroutines*each || got.attempts != goroutines*each {
			t.Errorf("%d of %d", got.Count, goroutines*each)
		}
		if (f >= SumFingerprint && got.Fingerprint != want.Fingerprint) || (f == NoFingerprint && got.Fingerprint != 0) {
			t.Errorf("fingerprint %d: %d, want %d", f, got.Fingerprint, want.Fingerprint)
		}
		if f < PowerSumFingerprint {
			want.PowerSums, want.Moments = PowerSums{}, PowerSums{}
		}
		if got.PowerSums != want.PowerSums || got.Moments != want.Moments {
			t.Errorf("fingerprint %d: power sums %v of moments %v, want %v and %v", f, got.PowerSums, got.Moments, want.PowerSums, want.Moments)
		}
	}
}

func TestTrackAllocatesNothing(t *testing.T) {
	r := mustRecorder(t, Options{Tier: "edge", Reporter: listen(t)})
	defer r.Close(context.Background())
	orders := r.Topic("orders")
	p := &Passage{Key: []byte("k"), Value: make([]byte, 200), Time: time.Now().UnixMilli()}
	orders.Track(p)
	if n := testing.AllocsPerRun(1000, func() { orders.Track(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWrongOptionsAreToldAtOnce(t *testing.T) {
	_, err := NewRecorder(Options{Window: 7 * time.Minute, Every: -1, Windows: -1, Fingerprint: 9})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"tier: is empty", "reporter: is nil", "window: 7m0s does not divide", "every: -1ns must", "windows, pending", "fingerprint: 9"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told: %v", want, err)
		}
	}
}

// A consumer may write over a message before it says that it has processed it.
func TestAHeldMessageCountsAsItWas(t *testing.T) {
	l := listen(t)
	r := mustRecorder(t, Options{Tier: "edge", Reporter: l})
	orders := r.Topic("orders")
	p := &Passage{Key: []byte("k"), Value: []byte("value"), Time: time.Now().UnixMilli()}
	want := Hash(p.Key, p.Value)
	for _, outcome := range []func(Held){orders.SuccessOf, orders.FailureOf} {
		orders.Attempt(p)
		h := orders.Hold(p)
		p.Value[0] = 'x'
		outcome(h)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := l.sum("orders"); c.Count != 1 || c.attempts != 2 || c.failures != 1 || c.Bytes != 6 || c.Fingerprint != want {
		t.Errorf("it says %+v", c)
	}
}

func BenchmarkTrack(b *testing.B) {
	for name, f := range map[string]Fingerprint{"none": NoFingerprint, "sum": SumFingerprint, "powers": PowerSumFingerprint} {
		r := mustRecorder(b, Options{Tier: "edge", Reporter: ReporterFunc(func(context.Context, []*Record) error { return nil }), Fingerprint: f})
		r.clock.adapt(1e9)
		orders := r.Topic("orders")
		p := &Passage{Key: []byte("u00012345"), Value: make([]byte, 191), Time: time.Now().UnixMilli()}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				orders.Track(p)
			}
		})
		b.Run(name+"/contended", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					orders.Track(p)
				}
			})
		})
		_ = r.Close(context.Background())
	}
}
