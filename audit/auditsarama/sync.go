package auditsarama

import (
	"errors"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// Producer counts what goes through p. Use what it returns in place of p; close that,
// and then the Recorder. The Config of p, which cannot be seen from here, needs a Version of
// 0.11 or later, which sarama's default is: with an older one sarama refuses each message,
// for its header.
func Producer(p sarama.SyncProducer, r *audit.Recorder) sarama.SyncProducer {
	return &syncProducer{p, r}
}

type syncProducer struct {
	sarama.SyncProducer
	r *audit.Recorder
}

func (p *syncProducer) SendMessage(msg *sarama.ProducerMessage) (partition int32, offset int64, err error) {
	attempt(p.r, msg)
	partition, offset, err = p.SyncProducer.SendMessage(msg)
	outcome(p.r, msg, err)
	return partition, offset, err
}

func (p *syncProducer) SendMessages(msgs []*sarama.ProducerMessage) error {
	for _, msg := range msgs {
		attempt(p.r, msg)
	}
	err := p.SyncProducer.SendMessages(msgs)
	failed, all := failures(err)
	for _, msg := range msgs {
		cause := failed[msg]
		if all {
			cause = err
		}
		outcome(p.r, msg, cause)
	}
	return err
}

// failures are the messages that an error of SendMessages is about: those that it
// names, else all.
func failures(err error) (failed map[*sarama.ProducerMessage]error, all bool) {
	var list sarama.ProducerErrors
	if !errors.As(err, &list) {
		return nil, err != nil
	}
	failed = make(map[*sarama.ProducerMessage]error, len(list))
	for _, e := range list {
		failed[e.Msg] = e
	}
	return failed, false
}
