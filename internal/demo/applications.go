package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/examples/proxy/proxy"
)

// applications are the programs of a datacenter that send messages to its proxy. They
// count themselves: the first tier.
type applications struct {
	name     string
	url      string // of the proxy
	recorder *audit.Recorder
	faults   *faults
	truth    *truths
	client   *http.Client
	rng      *rand.Rand
	sent     int
}

var topics = []string{"orders", "clicks", "payments"}

// run sends messages at a rate until ctx ends.
func (a *applications) run(ctx context.Context, rate float64) {
	const turn = 20 * time.Millisecond
	tick := time.NewTicker(turn)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	waiting := make(chan struct{}, 64) // requests under way
	for due := 0.0; ; due += rate * turn.Seconds() {
		for ; due >= 1; due-- {
			m := a.make()
			waiting <- struct{}{}
			wg.Add(1)
			go func() {
				defer func() { <-waiting; wg.Done() }()
				a.send(context.WithoutCancel(ctx), m)
			}()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// A message of an application.
type message struct {
	topic, key string
	value      []byte
	at         int64 // event time, Unix milliseconds
}

// make makes the next message: its event time lies a little back, within the grace.
func (a *applications) make() message {
	a.sent++
	at := time.Now().Add(-time.Duration(a.rng.Int64N(int64(2 * time.Second)))).UnixMilli()
	return message{
		topic: topics[a.rng.IntN(len(topics))], key: fmt.Sprintf("u%d", a.rng.IntN(100_000)), at: at,
		value: fmt.Appendf(nil, `{"id":"%s-%08d","ts":%d,"amount":%d,"note":"xoxo"}`, a.name, a.sent, at, a.rng.IntN(10_000)),
	}
}

func (a *applications) send(ctx context.Context, m message) {
	topic := a.recorder.Topic(m.topic)
	passage := &audit.Passage{Key: []byte(m.key), Value: m.value, Time: m.at}
	topic.Attempt(passage)
	f := a.faults.pass(hopClient, m.topic, m.at)
	if f.alter {
		m.value = altered(m.value)
	}
	time.Sleep(f.delay)
	for range f.copies {
		if err := a.post(ctx, m); err != nil {
			topic.Failure(passage)
			a.truth.problem(err)
			return
		}
	}
	topic.Success(passage)
	a.truth.add(tierClient, m.topic, m.at)
}

func (a *applications) post(ctx context.Context, m message) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+"/topics/"+m.topic, bytes.NewReader(m.value))
	if err != nil {
		return err
	}
	req.Header.Set(proxy.KeyHeader, m.key)
	req.Header.Set(proxy.TimeHeader, strconv.FormatInt(m.at, 10))
	resp, err := a.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("proxy: %s: %s", resp.Status, text)
	}
	return nil
}
