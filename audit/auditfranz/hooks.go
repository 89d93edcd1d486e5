package auditfranz

import (
	"slices"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// Hooks makes a client count. Close the client before the Recorder.
func Hooks(r *audit.Recorder) kgo.Opt { return kgo.WithHooks(&hooks{r}) }

type hooks struct{ r *audit.Recorder }

// OnProduceRecordBuffered runs inside Produce, when it has chosen the topic and before
// it looks at anything else: what is added here is sent. It runs once for each call,
// and so does OnProduceRecordUnbuffered, even for a record that is refused at once.
func (h *hooks) OnProduceRecordBuffered(rec *kgo.Record) {
	if !counts(rec.Topic) {
		return
	}
	t := h.r.Topic(rec.Topic)
	ms, add := t.Stamp(rec.Key, rec.Value, header(rec))
	if len(add) > 0 {
		headers := slices.Grow(slices.Clip(rec.Headers), len(add)) // others may have the same array
		for _, a := range add {
			headers = append(headers, kgo.RecordHeader{Key: a.Key, Value: a.Value})
		}
		rec.Headers = headers
	}
	t.Attempt(&audit.Passage{Key: rec.Key, Value: rec.Value, Time: ms})
}

// OnProduceRecordUnbuffered runs before the promise of the record.
func (h *hooks) OnProduceRecordUnbuffered(rec *kgo.Record, err error) {
	if !counts(rec.Topic) {
		return
	}
	t := h.r.Topic(rec.Topic)
	p := passage(t, rec)
	if err == nil {
		t.Success(&p)
	} else {
		t.Failure(&p)
	}
}

// OnFetchRecordUnbuffered runs before a poll returns, or when a record that was fetched
// is thrown away.
func (h *hooks) OnFetchRecordUnbuffered(rec *kgo.Record, polled bool) {
	if !polled || rec.Attrs.IsControl() {
		return
	}
	t := h.r.Topic(rec.Topic)
	p := delivered(t, rec)
	t.Attempt(&p)
}

// Processed counts records that the program is done with. Their keys, values and
// headers must be as they came.
func Processed(r *audit.Recorder, records ...*kgo.Record) {
	for _, rec := range records {
		if rec.Attrs.IsControl() {
			continue
		}
		t := r.Topic(rec.Topic)
		p := delivered(t, rec)
		t.Success(&p)
	}
}

// delivered is the passage of a record that comes from a log: without an event time it
// counts where the log's tier counts it.
func delivered(t *audit.Topic, rec *kgo.Record) audit.Passage {
	p := passage(t, rec)
	p.Stamp = max(0, rec.Timestamp.UnixMilli()) // -1: there is none
	return p
}

func passage(t *audit.Topic, rec *kgo.Record) audit.Passage {
	return audit.Passage{Key: rec.Key, Value: rec.Value, Time: t.EventTime(rec.Key, rec.Value, header(rec))}
}

// counts says whether a record can be somebody's: to a topic without a name, or with one
// that no report can say, it will be refused.
func counts(topic string) bool { return topic != "" && utf8.ValidString(topic) }

// header finds the last header of a name.
func header(rec *kgo.Record) func(name string) ([]byte, bool) {
	return func(name string) ([]byte, bool) {
		for i := len(rec.Headers) - 1; i >= 0; i-- {
			if rec.Headers[i].Key == name {
				return rec.Headers[i].Value, true
			}
		}
		return nil, false
	}
}
