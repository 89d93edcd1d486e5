package auditconfluent

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Producer is a kafka.Producer that counts. It stands between librdkafka and the
// program, and sees each delivery report before the program does:
//
//	Produce -> librdkafka -> reports -> pass -> the program's channel, or Events
type Producer struct {
	*kafka.Producer
	r       *audit.Recorder
	reports chan kafka.Event
	events  chan kafka.Event
	wanted  bool // reports, on Events
	flying  atomic.Int64

	feed, closing sync.Once
	input         chan *kafka.Message
	quit          chan struct{}
	passed        sync.WaitGroup
}

// NewProducer makes a producer that counts. Flush and Close it before the Recorder.
func NewProducer(conf *kafka.ConfigMap, r *audit.Recorder) (*Producer, error) {
	wanted, err := conf.Get("go.delivery.reports", true)
	if err != nil {
		return nil, fmt.Errorf("auditconfluent: %w", err)
	}
	size, err := conf.Get("go.events.channel.size", 1_000_000)
	if err != nil {
		return nil, fmt.Errorf("auditconfluent: %w", err)
	}
	own := maps.Clone(*conf)
	own["go.events.channel.size"] = 1000 // no reports go there
	under, err := kafka.NewProducer(&own)
	if err != nil {
		return nil, err
	}
	p := &Producer{Producer: under, r: r, wanted: wanted.(bool),
		reports: make(chan kafka.Event, 1000), events: make(chan kafka.Event, size.(int)),
		input: make(chan *kafka.Message, 1000), quit: make(chan struct{})}
	p.passed.Go(p.pass)
	return p, nil
}

// flight is the Opaque of a message on its way.
type flight struct {
	topic   *audit.Topic // nil if it does not count
	message audit.Held
	opaque  any
	report  chan kafka.Event // the program's, or nil
}

func (f *flight) outcome(err error) {
	switch {
	case f.topic == nil:
	case err == nil:
		f.topic.SuccessOf(f.message)
	default:
		f.topic.FailureOf(f.message)
	}
}

// Produce is kafka.Producer's.
func (p *Producer) Produce(msg *kafka.Message, deliveryChan chan kafka.Event) error {
	if msg == nil || msg.TopicPartition.Topic == nil || *msg.TopicPartition.Topic == "" {
		return p.Producer.Produce(msg, deliveryChan) // it will be refused, and is nobody's
	}
	f := &flight{opaque: msg.Opaque, report: deliveryChan}
	m := new(kafka.Message)
	*m = *msg
	if topic := *msg.TopicPartition.Topic; utf8.ValidString(topic) { // else no record can say it, and Kafka will refuse it
		var passage audit.Passage
		f.topic = p.r.Topic(topic)
		m, passage = stamp(f.topic, msg)
		f.message = f.topic.Hold(&passage)
		f.topic.Attempt(&passage)
	}
	m.Opaque = f
	p.flying.Add(1)
	err := p.Producer.Produce(m, p.reports)
	if err != nil {
		p.flying.Add(-1)
		f.outcome(err)
	}
	return err
}

// pass brings what librdkafka says to the program.
func (p *Producer) pass() {
	under := p.Producer.Events()
	for {
		select {
		case e := <-p.reports:
			p.report(e)
		case e, ok := <-under:
			if !ok {
				under = nil
				continue
			}
			p.events <- e
		case <-p.quit:
			for { // what came last
				select {
				case e := <-p.reports:
					p.report(e)
				default:
					return
				}
			}
		}
	}
}

// report counts a delivery report, and gives it to whom it belongs.
func (p *Producer) report(e kafka.Event) {
	defer p.flying.Add(-1)
	m, ok := e.(*kafka.Message)
	if !ok {
		return
	}
	f, ok := m.Opaque.(*flight)
	if !ok {
		return
	}
	f.outcome(m.TopicPartition.Error)
	m.Opaque = f.opaque
	switch {
	case f.report != nil:
		f.report <- m
	case p.wanted:
		p.events <- m
	}
}

// Events is kafka.Producer's.
func (p *Producer) Events() chan kafka.Event { return p.events }

// ProduceChannel is kafka.Producer's.
func (p *Producer) ProduceChannel() chan *kafka.Message {
	p.feed.Do(func() {
		p.passed.Go(func() {
			for {
				select {
				case m := <-p.input:
					if err := p.Produce(m, nil); err != nil && m != nil {
						m.TopicPartition.Error = err
						p.events <- m
					}
				case <-p.quit:
					return
				}
			}
		})
	})
	return p.input
}

// Len is kafka.Producer's.
func (p *Producer) Len() int {
	return int(p.flying.Load()) + len(p.events) + len(p.input) + len(p.Producer.Events())
}

// Flush is kafka.Producer's.
func (p *Producer) Flush(timeoutMs int) int {
	for end := time.Now().Add(time.Duration(timeoutMs) * time.Millisecond); p.Len() > 0; {
		left := time.Until(end)
		if left <= 0 {
			break
		}
		p.Producer.Flush(int(min(left, 100*time.Millisecond).Milliseconds()))
		time.Sleep(min(left, time.Millisecond))
	}
	return p.Len()
}

// Close is kafka.Producer's.
func (p *Producer) Close() {
	p.closing.Do(func() {
		p.Producer.Close()
		close(p.quit)
		p.passed.Wait()
		close(p.events)
	})
}
