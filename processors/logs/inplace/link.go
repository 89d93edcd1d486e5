package inplace

import (
	"errors"
	"time"
)

// How much a link can carry in which time nobody says, and the client knows only
// whether all of an answer has come in time. 8 MiB are nothing inside a data centre,
// and too much for the five seconds after which a broker counts as hung where the way
// to it is long and narrow; asked again for as much, it would never do. So:
//
//	what is likely to come                asked for                time
//	little: so it was the last time       mostOfOne                hungAfter
//	much, or too little has failed        room, mostBytes at most  slowAfter
//
// room is halved by an answer that has not come in time. It is doubled by one that
// was full and quick, which proves that the link carries twice as much; those that
// have little prove little, and bring it back slowly.

const (
	// hungAfter is when a broker that does not answer is given up.
	hungAfter = 5 * time.Second
	// slowAfter is when it is if it may be sending much.
	slowAfter = 30 * time.Second
)

// A link is what has been learnt of the way to a broker.
type link struct {
	room  int32 // most to be asked for
	asked int32 // what the request under way asks for
	slow  bool  // ... and it may take long
}

// ask says how much to ask for, most at most.
func (l *link) ask(most int32, little bool) int32 {
	l.slow = !little || l.room < mostOfOne
	l.asked = min(most, mostOfOne)
	if l.slow {
		l.asked = min(most, l.room)
	}
	return l.asked
}

// good learns from an answer of so many bytes.
func (l *link) good(size int, took, hung time.Duration) {
	switch quick := took < hung/4; {
	case quick && size >= int(l.asked)/2:
		l.room = min(mostBytes, l.room*2)
	case quick:
		l.room = min(mostBytes, l.room+l.room/64)
	}
}

// bad learns from an answer that has not come. A connection that is refused or breaks
// at once says nothing of what it carries.
func (l *link) bad(took, hung time.Duration) {
	if took >= hung {
		l.room = max(leastBytes, l.asked/2)
	}
}

var errLate = errors.New("the broker does not answer, and another one leads by now")

// await waits for an answer. If it is long in coming, the broker may be slow, or it may
// hang: then, before it is given up, others get to lead what it has led.
func (f *fetcher) await(coming <-chan answer) answer {
	var late <-chan time.Time
	if f.link.slow {
		t := time.NewTicker(f.r.hung)
		defer t.Stop()
		late = t.C
	}
	for {
		select {
		case a := <-coming:
			return a
		case <-late:
			f.moved()
		}
	}
}

// moved has those sources looked for that are led elsewhere, while the broker owes an
// answer.
func (f *fetcher) moved() {
	var list []*source
	f.r.mu.Lock()
	for _, n := range f.session.all() {
		list = append(list, n.s)
	}
	f.r.mu.Unlock()
	if len(list) == 0 {
		return
	}
	topics, err := f.r.describe(list)
	if err != nil {
		return // asked again soon
	}
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	for _, n := range f.session.all() {
		if at, err := locate(n.s.Source, topics[n.s.Topic]); err == nil && at.broker != f.key.broker {
			f.r.seek(n.s, errLate)
		}
	}
}
