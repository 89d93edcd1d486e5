package audit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// One name that no record can have must not keep the counts of other topics from
// arriving.
func TestATopicThatCannotBeHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l, Topics: 2})
		for _, name := range []string{"", "\xff", strings.Repeat("x", 501), "a", "b", "c"} {
			r.Topic(name).Track(&Passage{Time: time.Now().UnixMilli()})
		}
		err := r.Close(t.Context())
		if l.sum("a").Count != 1 || l.sum("b").Count != 1 || l.sum("c").Count != 0 {
			t.Error("topics that can be are not counted, or more than are allowed")
		}
		if err == nil || !strings.Contains(err.Error(), "4 messages are in no record") || len(l.of(KindGoodbye, "a")) != 0 {
			t.Errorf("the end says %v; goodbye %v", err, l.of(KindGoodbye, "a"))
		}
	})
}

func TestTooManyRecordsAreSaidInSmallerPortions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t)
		l.fail = func(n int) (int, error) {
			if n > 7 {
				return 0, fmt.Errorf("%w: 413", ErrTooMany)
			}
			return n, nil
		}
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l})
		for i := range 100 {
			r.Topic("orders").Track(&Passage{Time: time.Now().UnixMilli() - int64(i)*600_000})
		}
		if err := r.Close(t.Context()); err != nil || l.sum("orders").Count != 100 {
			t.Errorf("%d messages arrived: %v", l.sum("orders").Count, err)
		}
	})
}

// Event times that scatter over a day are a window each, not one for each time that
// they are counted into.
func TestScatteredEventTimesAreFewRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l, Every: time.Second})
		for round := range 5 {
			for i := range 144 * 5 {
				r.Topic("orders").Track(&Passage{Time: time.Now().UnixMilli() - int64((i*7+round)%144)*600_000})
			}
			time.Sleep(time.Second)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(l.of(KindWindow, "orders")); n > 146 || l.sum("orders").Count != 144*25 {
			t.Errorf("%d windows with %d messages", n, l.sum("orders").Count)
		}
	})
}

// Where windows do not fit, those that nobody counts into are pushed out, and nothing
// is counted twice or lost when they come again.
func TestWindowsThatArePushedOutCountInAnotherSegment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "edge", Reporter: l, Every: time.Second, Windows: 4})
		for i := range 40 {
			r.Topic("orders").Track(&Passage{Time: time.Now().UnixMilli() - int64(i%10)*600_000})
			r.Topic("orders").Track(&Passage{Time: time.Now().UnixMilli()}) // always wanted
			time.Sleep(time.Second)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if l.sum("orders").Count != 80 {
			t.Errorf("%d messages of 80", l.sum("orders").Count)
		}
		now := map[int64]int{}
		for _, rec := range l.of(KindWindow, "orders") {
			now[rec.Start]++
		}
		if n := now[WindowAt(time.Now().UnixMilli(), 600).Start]; n != 1 {
			t.Errorf("the window that is always wanted has %d segments", n)
		}
	})
}

func TestGoodbyeIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t)
		failures := 3
		r := mustRecorder(t, Options{Tier: "edge", Reporter: ReporterFunc(func(ctx context.Context, records []*Record) error {
			if records[0].Kind == KindGoodbye && failures > 0 {
				failures--
				return errors.New("503")
			}
			return l.Report(ctx, records)
		})})
		r.Topic("orders").Track(&Passage{})
		if err := r.Close(t.Context()); err != nil || len(l.of(KindGoodbye, "orders")) != 1 {
			t.Errorf("%v, goodbye %v", err, l.of(KindGoodbye, "orders"))
		}
	})
}

func TestCloseDoesNotWaitForAReporterThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := mustRecorder(t, Options{Tier: "edge", Reporter: ReporterFunc(func(context.Context, []*Record) error {
			<-release // deaf to its context
			return errors.New("too late")
		})})
		r.Topic("orders").Track(&Passage{})
		time.Sleep(11 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := r.Close(ctx); err == nil || time.Since(begin) > 2*time.Second {
			t.Errorf("after %s: %v", time.Since(begin), err)
		}
		close(release)
	})
}

func TestASecondCloseWaitsForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "edge", Reporter: ReporterFunc(func(ctx context.Context, records []*Record) error {
			time.Sleep(time.Second)
			return l.Report(ctx, records)
		})})
		r.Topic("orders").Track(&Passage{})
		first := make(chan error, 1)
		go func() { first <- r.Close(context.Background()) }()
		synctest.Wait()
		if err := r.Close(context.Background()); err != nil || len(l.of(KindGoodbye, "orders")) != 1 {
			t.Errorf("the second returns %v before everything is said", err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}

// A consumer counts a message without an event time where the log's tier counts it.
func TestAMessageWithoutATimeCountsAtItsRecordTimestamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := listen(t)
		r := mustRecorder(t, Options{Tier: "consumer", Reporter: l})
		hours := time.Now().Add(-5 * time.Hour).UnixMilli()
		r.Topic("orders").Track(&Passage{Stamp: hours})
		r.Topic("orders").Track(&Passage{Stamp: hours, Malformed: true})
		r.Topic("orders").Track(&Passage{Stamp: hours, Time: hours + 2*3600_000}) // too far ahead of its record
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		w := l.of(KindWindow, "orders")
		if len(w) != 1 || w[0].Window != WindowAt(hours, 600) || w[0].Tally.NoTime != 1 || w[0].Tally.Malformed != 1 || w[0].Tally.OutOfBounds != 1 {
			t.Errorf("windows %+v", w)
		}
	})
}
