package auditkafkago

import (
	"context"
	"sync"

	"github.com/segmentio/kafka-go"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Reader is a kafka.Reader that counts.
type Reader struct {
	*kafka.Reader
	r *audit.Recorder

	group    bool
	mu       sync.Mutex
	backlogs map[partition]*audit.Backlog
}

type partition struct {
	topic string
	id    int
}

// NewReader makes a Reader that counts. Close it before the Recorder.
func NewReader(reader *kafka.Reader, r *audit.Recorder) *Reader {
	return &Reader{Reader: reader, r: r, group: reader.Config().GroupID != "", backlogs: map[partition]*audit.Backlog{}}
}

// FetchMessage is kafka.Reader's.
func (r *Reader) FetchMessage(ctx context.Context) (kafka.Message, error) {
	m, err := r.Reader.FetchMessage(ctx)
	if err == nil {
		r.delivered(&m)
	}
	return m, err
}

// ReadMessage is kafka.Reader's. In a group it commits.
func (r *Reader) ReadMessage(ctx context.Context) (kafka.Message, error) {
	m, err := r.Reader.ReadMessage(ctx)
	if err == nil {
		r.delivered(&m)
		r.committed(m)
	}
	return m, err
}

// CommitMessages is kafka.Reader's.
func (r *Reader) CommitMessages(ctx context.Context, msgs ...kafka.Message) error {
	err := r.Reader.CommitMessages(ctx, msgs...)
	if err == nil {
		for _, m := range msgs {
			r.committed(m)
		}
	}
	return err
}

// Processed counts messages that the program is done with, of a Reader without a group;
// with one CommitMessages does.
func (r *Reader) Processed(msgs ...kafka.Message) {
	if r.group {
		return
	}
	for i := range msgs {
		t := r.r.Topic(msgs[i].Topic)
		p := delivered(t, &msgs[i])
		t.Success(&p)
	}
}

func (r *Reader) delivered(m *kafka.Message) {
	t := r.r.Topic(m.Topic)
	p := delivered(t, m)
	t.Attempt(&p)
	if !r.group {
		return
	}
	r.mu.Lock()
	b := r.backlogs[partition{m.Topic, m.Partition}]
	if b == nil {
		b = t.Backlog()
		r.backlogs[partition{m.Topic, m.Partition}] = b
	}
	r.mu.Unlock()
	b.Add(m.Offset, &p)
}

func (r *Reader) committed(m kafka.Message) {
	r.mu.Lock()
	b := r.backlogs[partition{m.Topic, m.Partition}]
	r.mu.Unlock()
	if b != nil {
		b.Processed(m.Offset + 1)
	}
}

// delivered is the passage of a message that comes from a log: without an event time it
// counts where the log's tier counts it.
func delivered(t *audit.Topic, m *kafka.Message) audit.Passage {
	p := passage(t, m)
	p.Stamp = max(0, m.Time.UnixMilli()) // -1, or long ago: there is none
	return p
}
