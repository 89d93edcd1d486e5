package auditsarama

import (
	"sync"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// Handler counts what a consumer group delivers to h, and what h marks: an attempt when
// h receives a message from its claim, a success when it marks that message or a later
// one of the partition, as Kafka understands it.
//
// What is not marked yet is remembered within bounds: see audit.Backlog. What is marked
// beyond them, after the session or never, counts as delivered and not as processed.
func Handler(h sarama.ConsumerGroupHandler, r *audit.Recorder) sarama.ConsumerGroupHandler {
	return &handler{ConsumerGroupHandler: h, r: r, sessions: map[sarama.ConsumerGroupSession]*session{}}
}

type handler struct {
	sarama.ConsumerGroupHandler
	r *audit.Recorder

	mu       sync.Mutex
	sessions map[sarama.ConsumerGroupSession]*session
}

func (h *handler) Setup(s sarama.ConsumerGroupSession) error {
	return h.ConsumerGroupHandler.Setup(h.session(s))
}

func (h *handler) Cleanup(s sarama.ConsumerGroupSession) error {
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.sessions, s)
	}()
	return h.ConsumerGroupHandler.Cleanup(h.session(s))
}

// ConsumeClaim runs the application's, before a channel that sees what it receives.
func (h *handler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	session := h.session(s)
	topic := h.r.Topic(c.Topic())
	own := session.claim(topic, c.Partition())
	messages, returned, ended := make(chan *sarama.ConsumerMessage), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(messages)
		for {
			var msg *sarama.ConsumerMessage
			select { // of a quiet partition nothing may come, and the claim stays open
			case m, ok := <-c.Messages():
				if !ok {
					return
				}
				msg = m
			case <-returned:
				return
			}
			next := msg.Offset + 1 // the application may write over the message
			own.offer(msg)
			select {
			case messages <- msg:
				own.taken(next)
			case <-returned:
				own.takeBack()
				return
			}
		}
	}()
	err := h.ConsumerGroupHandler.ConsumeClaim(session, &claim{c, messages})
	close(returned)
	<-ended
	return err
}

// session is the same for all calls about one of sarama's: applications keep it.
func (h *handler) session(s sarama.ConsumerGroupSession) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.sessions[s]
	if w == nil {
		w = &session{ConsumerGroupSession: s, claims: map[partition]*delivery{}}
		h.sessions[s] = w
	}
	return w
}

// passage is that of a message that comes from a log: without an event time it counts
// where the log's tier counts it.
func passage(t *audit.Topic, msg *sarama.ConsumerMessage) audit.Passage {
	return audit.Passage{Stamp: max(0, msg.Timestamp.UnixMilli()), Key: msg.Key, Value: msg.Value, Time: t.EventTime(msg.Key, msg.Value, func(name string) ([]byte, bool) {
		for i := len(msg.Headers) - 1; i >= 0; i-- {
			if h := msg.Headers[i]; h != nil && string(h.Key) == name {
				return h.Value, true
			}
		}
		return nil, false
	})}
}

type claim struct {
	sarama.ConsumerGroupClaim
	messages <-chan *sarama.ConsumerMessage
}

func (c *claim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

type partition struct {
	topic string
	id    int32
}

type session struct {
	sarama.ConsumerGroupSession

	mu     sync.Mutex
	claims map[partition]*delivery // the newest claim of each partition
}

// claim begins to remember what is delivered of a partition.
func (s *session) claim(t *audit.Topic, id int32) *delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &delivery{topic: t, backlog: t.Backlog()}
	s.claims[partition{t.Name(), id}] = d
	return d
}

// A delivery counts what a claim delivers. An attempt is counted as soon as it is seen that
// the application has the message: when it has taken it or when it marks it, whichever is
// first. So no success is counted before its attempt, and no attempt that was none.
type delivery struct {
	topic   *audit.Topic
	backlog *audit.Backlog

	mu      sync.Mutex
	offered bool // a message that is not known to be taken
	offset  int64
	passage audit.Passage // for its attempt, without key and value
}

// offer is called before the application can take a message.
func (d *delivery) offer(msg *sarama.ConsumerMessage) {
	p := passage(d.topic, msg)
	d.backlog.Add(msg.Offset, &p)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offered, d.offset, d.passage = true, msg.Offset, audit.Passage{Time: p.Time, Stamp: p.Stamp, Malformed: p.Malformed}
}

// taken counts the attempt of what is offered, if it is before an offset.
func (d *delivery) taken(next int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.offered && d.offset < next {
		d.offered = false
		d.topic.Attempt(&d.passage)
	}
}

// takeBack forgets what is offered: nobody took it.
func (d *delivery) takeBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.offered {
		d.offered = false
		d.backlog.TakeBack(d.offset)
	}
}

func (s *session) MarkMessage(msg *sarama.ConsumerMessage, metadata string) {
	s.ConsumerGroupSession.MarkMessage(msg, metadata)
	s.marked(msg.Topic, msg.Partition, msg.Offset+1)
}

func (s *session) MarkOffset(topic string, partition int32, offset int64, metadata string) {
	s.ConsumerGroupSession.MarkOffset(topic, partition, offset, metadata)
	s.marked(topic, partition, offset)
}

func (s *session) marked(topic string, id int32, next int64) {
	s.mu.Lock()
	d := s.claims[partition{topic, id}]
	s.mu.Unlock()
	if d != nil {
		d.taken(next)
		d.backlog.Processed(next)
	}
}
