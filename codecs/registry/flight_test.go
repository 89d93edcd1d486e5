package registry_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/codecs/registry"
)

func TestSchemasAreAskedForOnce(t *testing.T) {
	f := start(t, avro(), nil)
	c := mustNew(t, registry.Options{URLs: []string{f.url}})
	for range 3 {
		mustGet(t, c, 17, `AVRO "string" []`)
	}
	if n := len(f.asked()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestErrorsAreNotKept(t *testing.T) {
	var back atomic.Bool
	f := start(t, avro(), func(w http.ResponseWriter, r *http.Request) bool { return !back.Load() && status(503, "")(w, r) })
	c := mustNew(t, registry.Options{URLs: []string{f.url}})
	fail(t, c, 17, "503")
	back.Store(true)
	mustGet(t, c, 17, `AVRO "string" []`)
}

// held is a registry that answers when open is closed; each request is told.
func held(t *testing.T) (f *fake, arrived chan bool, open chan bool) {
	arrived, open = make(chan bool, 100), make(chan bool)
	return start(t, avro(), func(_ http.ResponseWriter, r *http.Request) bool {
		arrived <- true
		select {
		case <-open:
		case <-r.Context().Done():
		}
		return false
	}), arrived, open
}

func TestCallersAtTheSameTimeShareARequest(t *testing.T) {
	f, arrived, open := held(t)
	c := mustNew(t, registry.Options{URLs: []string{f.url}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { mustGet(t, c, 17, `AVRO "string" []`) })
	}
	<-arrived
	close(open)
	wg.Wait()
	if n := len(f.asked()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestOneWhoGivesUpLeavesTheRequestToOthers(t *testing.T) {
	f, arrived, open := held(t)
	c := mustNew(t, registry.Options{URLs: []string{f.url}})
	ctx, giveUp := context.WithCancel(context.Background())
	first := make(chan error)
	go func() {
		_, err := c.Schema(ctx, 17)
		first <- err
	}()
	<-arrived
	var wg sync.WaitGroup
	wg.Go(func() { mustGet(t, c, 17, `AVRO "string" []`) })
	time.Sleep(20 * time.Millisecond) // for the second one to wait as well; without, it only tests less
	giveUp()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(open)
	wg.Wait()
}

func TestTheLastToGiveUpEndsTheRequest(t *testing.T) {
	ended := make(chan bool, 1)
	f := start(t, avro(), func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-r.Context().Done():
			ended <- true
		case <-time.After(10 * time.Second):
		}
		return true
	})
	// The second node must not be asked for somebody who is gone.
	second := start(t, avro(), nil)
	c := mustNew(t, registry.Options{URLs: []string{f.url, second.url}, Timeout: time.Minute})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := c.Schema(ctx, 17)
	mustSay(t, err, "schema id 17 from registry main: context deadline exceeded")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the request goes on")
	}
	if n := len(second.asked()); n != 0 {
		t.Errorf("the second node was asked %d times", n)
	}
}

func TestWhatWasGivenUpIsAskedForAgain(t *testing.T) {
	f, arrived, open := held(t)
	c := mustNew(t, registry.Options{URLs: []string{f.url}})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Schema(ctx, 17); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for len(arrived) > 0 {
		<-arrived
	}
	close(open)
	mustGet(t, c, 17, `AVRO "string" []`)
}
