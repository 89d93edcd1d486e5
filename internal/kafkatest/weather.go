package kafkatest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// conditions are what bytes meet on their way.
type conditions struct {
	cut, vanish     bool
	latency, jitter time.Duration
	rate            int // bytes per second; 0 is no limit
}

// A weather is conditions that change. It is the one toxic on its proxy, and
// stays there: toxiproxy's own toxics come and go, and adding or removing one
// waits for every connection to take it, forever if a client is paused and
// reads nothing. (So it is in v2.5.0: two seconds of a full connection are
// enough.)
type weather struct {
	mu      sync.Mutex
	now     conditions
	changed chan struct{} // closed when now is over
}

func newWeather() *weather { return &weather{changed: make(chan struct{})} }

func (w *weather) current() (conditions, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now, w.changed
}

func (w *weather) change(how func(*conditions)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	how(&w.now)
	close(w.changed)
	w.changed = make(chan struct{})
}

// over has both directions of a proxy's connections go through the weather.
func (w *weather) over(p *toxiproxy.Proxy) error {
	weathers.Store(p.Name, w)
	for _, direction := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"type": "weather", "stream": %q, "attributes": {"proxy": %q}}`, direction, p.Name)
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return fmt.Errorf("add toxic: %w", err)
		}
	}
	return nil
}

// weathers by name of the proxy. A toxic is made from JSON, which can carry a
// name and no pointer.
var weathers sync.Map

func init() { toxics.Register("weather", new(weatherToxic)) }

type weatherToxic struct {
	Proxy string `json:"proxy"`
}

// GetBufferSize says how many pieces (of up to 32 kB) may be under way, so that
// what is slow need not be narrow.
func (t *weatherToxic) GetBufferSize() int { return 64 }

// Pipe carries the pieces of one direction of one connection.
func (t *weatherToxic) Pipe(stub *toxics.ToxicStub) {
	if w, ok := weathers.Load(t.Proxy); ok { // else the proxy is being closed, and this connection came at the last moment
		p := passage{weather: w.(*weather), stub: stub}
		for p.next() {
		}
		p.end()
	}
	stub.Close()
	for range stub.Input { // whoever still sends must not wait
	}
}

// A passage is one direction of a connection.
type passage struct {
	weather *weather
	stub    *toxics.ToxicStub
	holed   bool      // bytes have vanished
	free    time.Time // when the line can take the next piece
}

// next carries one piece, or waits for a change. It says whether to go on.
func (p *passage) next() bool {
	now, changed := p.weather.current()
	if p.over(now) {
		return false
	}
	select {
	case piece := <-p.stub.Input:
		return piece != nil && p.carry(piece, rand.Float64()*2-1)
	case <-changed:
		return true
	}
}

// end waits while the end vanishes like everything else.
func (p *passage) end() {
	for {
		now, changed := p.weather.current()
		if now.cut || !now.vanish {
			return
		}
		<-changed
	}
}

// over says that the connection ends.
func (p *passage) over(now conditions) bool { return now.cut || p.holed && !now.vanish }

// carry brings a piece through, as the conditions are then and later. Luck, from
// -1 to 1, decides about its jitter.
func (p *passage) carry(piece *stream.StreamChunk, luck float64) bool {
	for len(piece.Data) > 0 {
		now, changed := p.weather.current()
		switch {
		case p.over(now):
			return false
		case now.vanish:
			p.holed = true
			return true
		}
		due := piece.Timestamp.Add(now.latency + time.Duration(luck*float64(now.jitter)))
		part := piece.Data
		if now.rate > 0 {
			part = part[:min(len(part), max(1, now.rate/10))]
			if due.Before(p.free) {
				due = p.free
			}
		}
		select {
		case <-time.After(time.Until(due)):
		case <-changed:
			continue
		}
		select {
		case p.stub.Output <- &stream.StreamChunk{Data: part, Timestamp: piece.Timestamp}:
		case <-changed:
			continue
		}
		piece.Data = piece.Data[len(part):]
		if now.rate > 0 {
			p.free = time.Now().Add(time.Duration(len(part)) * time.Second / time.Duration(now.rate))
		}
	}
	return true
}
