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
	backlog := session.claim(topic, c.Partition())
	messages, returned, ended := make(chan *sarama.ConsumerMessage), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(messages)
		for msg := range c.Messages() {
			p := passage(topic, msg)
			backlog.Add(msg.Offset, &p) // before it can be marked
			select {
			case messages <- msg:
				topic.Attempt(&p)
			case <-returned:
				backlog.TakeBack(msg.Offset)
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
		w = &session{ConsumerGroupSession: s, claims: map[partition]*audit.Backlog{}}
		h.sessions[s] = w
	}
	return w
}

func passage(t *audit.Topic, msg *sarama.ConsumerMessage) audit.Passage {
	return audit.Passage{Key: msg.Key, Value: msg.Value, Time: t.EventTime(msg.Key, msg.Value, func(name string) ([]byte, bool) {
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
	claims map[partition]*audit.Backlog // the newest claim of each partition
}

// claim begins to remember what is delivered of a partition.
func (s *session) claim(t *audit.Topic, id int32) *audit.Backlog {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := t.Backlog()
	s.claims[partition{t.Name(), id}] = b
	return b
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
	b := s.claims[partition{topic, id}]
	s.mu.Unlock()
	if b != nil {
		b.Processed(next)
	}
}
