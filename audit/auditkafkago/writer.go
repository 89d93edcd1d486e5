package auditkafkago

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Writer is a kafka.Writer that counts.
type Writer struct {
	*kafka.Writer
	r *audit.Recorder
}

// NewWriter makes w count, which must not have been used yet. Its Completion is called
// as before. Close the Writer before the Recorder.
func NewWriter(w *kafka.Writer, r *audit.Recorder) *Writer {
	users := w.Completion
	w.Completion = func(msgs []kafka.Message, err error) {
		for i := range msgs {
			outcome(r, cmp.Or(msgs[i].Topic, w.Topic), &msgs[i], err)
		}
		if users != nil {
			users(msgs, err)
		}
	}
	return &Writer{w, r}
}

// WriteMessages is kafka.Writer's.
func (w *Writer) WriteMessages(ctx context.Context, msgs ...kafka.Message) error {
	msgs = slices.Clone(msgs) // others may be using it, and its headers
	for i := range msgs {
		w.attempt(&msgs[i])
	}
	err := w.Writer.WriteMessages(ctx, msgs...)
	if refused(ctx, err) {
		for i := range msgs {
			outcome(w.r, cmp.Or(msgs[i].Topic, w.Topic), &msgs[i], err)
		}
	}
	return err
}

// refused says that an error is about all messages and came before any was in a batch.
// Completion tells of batches; of an error of ctx nobody knows which of both it is.
func refused(ctx context.Context, err error) bool {
	var each kafka.WriteErrors
	return err != nil && !errors.As(err, &each) && (ctx.Err() == nil || !errors.Is(err, ctx.Err()))
}

func (w *Writer) attempt(m *kafka.Message) {
	topic := cmp.Or(m.Topic, w.Topic)
	if !counts(topic) {
		return
	}
	t := w.r.Topic(topic)
	ms, add := t.Stamp(m.Key, m.Value, header(m.Headers))
	if len(add) > 0 {
		m.Headers = slices.Grow(slices.Clip(m.Headers), len(add))
		for _, h := range add {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
	}
	t.Attempt(&audit.Passage{Key: m.Key, Value: m.Value, Time: ms})
}

func outcome(r *audit.Recorder, topic string, m *kafka.Message, err error) {
	if !counts(topic) {
		return
	}
	t := r.Topic(topic)
	p := passage(t, m)
	if err == nil {
		t.Success(&p)
	} else {
		t.Failure(&p)
	}
}

func passage(t *audit.Topic, m *kafka.Message) audit.Passage {
	return audit.Passage{Key: m.Key, Value: m.Value, Time: t.EventTime(m.Key, m.Value, header(m.Headers))}
}

// counts says whether a message can be somebody's: to a topic without a name, or with one
// that no report can say, it will be refused.
func counts(topic string) bool { return topic != "" && utf8.ValidString(topic) }

// header finds the last header of a name.
func header(headers []kafka.Header) func(name string) ([]byte, bool) {
	return func(name string) ([]byte, bool) {
		for i := len(headers) - 1; i >= 0; i-- {
			if headers[i].Key == name {
				return headers[i].Value, true
			}
		}
		return nil, false
	}
}
