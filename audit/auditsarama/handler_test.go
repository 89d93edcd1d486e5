package auditsarama

import (
	"context"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

type fakeSession struct {
	sarama.ConsumerGroupSession
	next int64
}

func (s *fakeSession) MarkMessage(m *sarama.ConsumerMessage, _ string)      { s.next = m.Offset + 1 }
func (s *fakeSession) MarkOffset(_ string, _ int32, offset int64, _ string) { s.next = offset }
func (s *fakeSession) Context() context.Context                             { return context.Background() }

type fakeClaim struct{ messages chan *sarama.ConsumerMessage }

func (fakeClaim) Topic() string                              { return "t" }
func (fakeClaim) Partition() int32                           { return 7 }
func (fakeClaim) InitialOffset() int64                       { return 0 }
func (fakeClaim) HighWaterMarkOffset() int64                 { return 0 }
func (c fakeClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

// claimOf is a claim that holds n messages and is then released.
func claimOf(n int) fakeClaim {
	c := fakeClaim{make(chan *sarama.ConsumerMessage, n)}
	for i := range n {
		c.messages <- &sarama.ConsumerMessage{Topic: "t", Partition: 7, Offset: int64(10 * i), Value: []byte("v")}
	}
	close(c.messages)
	return c
}

// app is an application made of a function.
type app struct {
	t       *testing.T
	consume func(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim)
	setup   sarama.ConsumerGroupSession
}

func (a *app) Setup(s sarama.ConsumerGroupSession) error { a.setup = s; return nil }
func (a *app) Cleanup(s sarama.ConsumerGroupSession) error {
	if s != a.setup {
		a.t.Error("the session is another one at the end")
	}
	return nil
}
func (a *app) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	if s != a.setup {
		a.t.Error("the session is another one in a claim")
	}
	a.consume(s, c)
	return nil
}

// run plays a session of sarama's.
func run(t *testing.T, n int, consume func(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim)) (delivered, processed uint64, s *fakeSession) {
	t.Helper()
	r, sum := recorder(t)
	s = &fakeSession{}
	h := Handler(&app{t: t, consume: consume}, r)
	for _, err := range []error{h.Setup(s), h.ConsumeClaim(s, claimOf(n)), h.Cleanup(s)} {
		if err != nil {
			t.Error(err)
		}
	}
	if list := h.(*handler).sessions; len(list) != 0 {
		t.Error("the session is kept")
	}
	delivered, processed, _ = sum()
	return delivered, processed, s
}

func TestAMarkIsAboutAllBefore(t *testing.T) {
	delivered, processed, s := run(t, 10, func(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) {
		var list []*sarama.ConsumerMessage
		for m := range c.Messages() {
			m.Value[0] = 'x' // the application may write over it
			list = append(list, m)
		}
		s.MarkMessage(list[3], "")
		s.MarkMessage(list[1], "") // again, and out of order
		s.MarkOffset("t", 7, 55, "")
		s.MarkOffset("t", 8, 1000, "") // of another partition
		s.MarkOffset("t", 7, 61, "")
	})
	if delivered != 10 || processed != 7 || s.next != 61 {
		t.Errorf("delivered %d, processed %d, next %d", delivered, processed, s.next)
	}
}

// What the application does not receive is not delivered to it.
func TestWhatIsLeftInAClaimIsNotDelivered(t *testing.T) {
	delivered, processed, _ := run(t, 10, func(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) {
		for range 3 {
			<-c.Messages()
		}
		s.MarkOffset("t", 7, 20, "")
	})
	if delivered != 3 || processed != 2 {
		t.Errorf("delivered %d, processed %d", delivered, processed)
	}
}

// An application may end a claim before sarama does, also one in which nothing comes.
func TestAnApplicationMayLeaveAQuietClaim(t *testing.T) {
	r, sum := recorder(t)
	s := &fakeSession{}
	a := &app{t: t, consume: func(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim) {}}
	h := Handler(a, r)
	if err := h.Setup(s); err != nil {
		t.Error(err)
	}
	returned := make(chan error, 1)
	go func() { returned <- h.ConsumeClaim(s, fakeClaim{make(chan *sarama.ConsumerMessage)}) }()
	select {
	case err := <-returned:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("ConsumeClaim does not return")
	}
	if delivered, processed, _ := sum(); delivered != 0 || processed != 0 {
		t.Errorf("delivered %d, processed %d", delivered, processed)
	}
}

// A mark says that the application has the message, even if it comes before whoever
// handed that over has gone on.
func TestASuccessIsNotBeforeItsAttempt(t *testing.T) {
	r, sum := recorder(t)
	s := (&handler{r: r, sessions: map[sarama.ConsumerGroupSession]*session{}}).session(&fakeSession{})
	d := s.claim(r.Topic("t"), 7)
	m := &sarama.ConsumerMessage{Topic: "t", Partition: 7, Offset: 3}
	d.offer(m)
	s.MarkOffset("t", 7, 3, "") // another one
	if !d.offered {
		t.Error("it is delivered, and nobody took it")
	}
	s.MarkMessage(m, "")
	if d.offered {
		t.Error("it is processed and was not delivered")
	}
	d.taken(4)
	d.takeBack()
	if delivered, processed, _ := sum(); delivered != 1 || processed != 1 {
		t.Errorf("delivered %d, processed %d", delivered, processed)
	}
}
