package auditsarama

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// counted sums what a Recorder reports.
type counted struct {
	mu      sync.Mutex
	windows map[string]*audit.Record
}

func (c *counted) Report(_ context.Context, records []*audit.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range records {
		if r.Kind == audit.KindWindow {
			c.windows[r.IdentityKey()] = r
		}
	}
	return nil
}

// recorder begins to count; the second result ends it and says what it has counted.
func recorder(t *testing.T) (*audit.Recorder, func() (attempts, successes, failures uint64)) {
	t.Helper()
	c := &counted{windows: map[string]*audit.Record{}}
	r, err := audit.NewRecorder(audit.Options{Tier: "edge", Reporter: c})
	if err != nil {
		t.Fatal(err)
	}
	return r, func() (a, s, f uint64) {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
		for _, r := range c.windows {
			a, s, f = a+r.Client.Attempts, s+r.Tally.Count, f+r.Client.Failures
		}
		return a, s, f
	}
}

// accepts is a producer of sarama that answers as it is told.
type accepts struct {
	sarama.SyncProducer
	answer func(*sarama.ProducerMessage) error
}

func (p accepts) SendMessage(m *sarama.ProducerMessage) (int32, int64, error) {
	return 0, 0, p.answer(m)
}

func (p accepts) SendMessages(list []*sarama.ProducerMessage) error {
	var errs sarama.ProducerErrors
	for _, m := range list {
		if err := p.answer(m); err != nil {
			errs = append(errs, &sarama.ProducerError{Msg: m, Err: err})
		}
	}
	if errs != nil {
		return errs
	}
	return nil
}

type broken struct{}

var errBroken = errors.New("cannot be encoded")

func (broken) Encode() ([]byte, error) { return nil, errBroken }
func (broken) Length() int             { return 1 }

// sends does what sarama does with what it is given.
func sends(m *sarama.ProducerMessage) error {
	if m.Value != nil {
		_, err := m.Value.Encode()
		return err
	}
	return nil
}

func TestWhatCannotBeEncodedIsSaramasAffair(t *testing.T) {
	r, sum := recorder(t)
	p := Producer(accepts{answer: sends}, r)
	bad := &sarama.ProducerMessage{Topic: "t", Value: broken{}}
	if _, _, err := p.SendMessage(bad); err != errBroken {
		t.Errorf("the error is %v", err)
	}
	if bad.Value != (broken{}) {
		t.Errorf("the value is a %T", bad.Value)
	}
	list := []*sarama.ProducerMessage{bad, {Topic: "t", Value: sarama.StringEncoder("")}, {Topic: "t"}}
	var errs sarama.ProducerErrors
	if err := p.SendMessages(list); !errors.As(err, &errs) || len(errs) != 1 || errs[0].Msg != bad {
		t.Errorf("the error is %v", err)
	}
	if a, s, f := sum(); a != 4 || s != 2 || f != 2 {
		t.Errorf("%d attempts, %d successes, %d failures", a, s, f)
	}
}

// An error that names no message is about all.
func TestAnErrorThatNamesNobodyIsAboutAll(t *testing.T) {
	r, sum := recorder(t)
	p := Producer(closed{}, r)
	if err := p.SendMessages([]*sarama.ProducerMessage{{Topic: "t"}, {Topic: "t"}}); err != sarama.ErrClosedClient {
		t.Error(err)
	}
	if a, s, f := sum(); a != 2 || s != 0 || f != 2 {
		t.Errorf("%d attempts, %d successes, %d failures", a, s, f)
	}
}

type closed struct{ sarama.SyncProducer }

func (closed) SendMessages([]*sarama.ProducerMessage) error { return sarama.ErrClosedClient }

func TestAMessageIsStampedOnceAndSharesNothing(t *testing.T) {
	r, sum := recorder(t)
	answer := errors.New("try again")
	p := Producer(accepts{answer: func(*sarama.ProducerMessage) error { return answer }}, r)
	shared := make([]sarama.RecordHeader, 1, 8)
	shared[0] = sarama.RecordHeader{Key: []byte("mine")}
	one, two := &sarama.ProducerMessage{Topic: "t", Headers: shared}, &sarama.ProducerMessage{Topic: "t", Headers: shared}
	for range 3 {
		_, _, _ = p.SendMessage(one) // which fails
		time.Sleep(2 * time.Millisecond)
	}
	answer = nil
	first := string(one.Headers[1].Value)
	for _, m := range []*sarama.ProducerMessage{one, two} {
		if _, _, err := p.SendMessage(m); err != nil {
			t.Error(err)
		}
	}
	if len(one.Headers) != 2 || len(two.Headers) != 2 || string(one.Headers[1].Value) != first || string(two.Headers[1].Value) == first {
		t.Errorf("headers %q and %q", one.Headers, two.Headers)
	}
	if a, s, f := sum(); a != 5 || s != 2 || f != 3 {
		t.Errorf("%d attempts, %d successes, %d failures", a, s, f)
	}
}

// What a Partitioner or an Interceptor sees of the Encoders of the program.
func TestEncodersCanBeSeenOnTheWay(t *testing.T) {
	r, _ := recorder(t)
	p := Producer(accepts{answer: func(m *sarama.ProducerMessage) error {
		if _, ok := m.Key.(sarama.StringEncoder); !ok {
			t.Errorf("the key is a %T", m.Key)
		}
		if u, ok := m.Value.(interface{ Unwrap() sarama.Encoder }); !ok || u.Unwrap() != (broken{}) {
			t.Errorf("the value is a %T", m.Value)
		}
		return nil
	}}, r)
	if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: "t", Key: sarama.StringEncoder("k"), Value: broken{}}); err != nil {
		t.Error(err)
	}
}

// One record that cannot be written would keep back all others.
func TestATopicThatCannotBeIsSaramasAffair(t *testing.T) {
	r, sum := recorder(t)
	p := Producer(accepts{answer: func(m *sarama.ProducerMessage) error {
		if len(m.Headers) != 0 {
			t.Errorf("%q is stamped", m.Topic)
		}
		return sarama.ErrInvalidTopic
	}}, r)
	for _, topic := range []string{"", "\xff"} {
		if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: broken{}}); err != sarama.ErrInvalidTopic {
			t.Error(err)
		}
	}
	if a, s, f := sum(); a != 0 || s != 0 || f != 0 {
		t.Errorf("%d attempts, %d successes, %d failures", a, s, f)
	}
}
