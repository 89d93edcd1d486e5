package auditkafkago

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/chaperone-audit/chaperone/audit"
)

// counted is a Reporter that keeps the newest of each window.
type counted map[string]*audit.Record

func (c counted) Report(_ context.Context, records []*audit.Record) error {
	for _, r := range records {
		if r.Kind == audit.KindWindow {
			c[r.IdentityKey()] = r
		}
	}
	return nil
}

func TestWhatIsRefusedIsAFailureAndWhatIsGivenUpUnknown(t *testing.T) {
	c := counted{}
	r, err := audit.NewRecorder(audit.Options{Tier: "edge", Reporter: c})
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(&kafka.Writer{Addr: kafka.TCP("127.0.0.1:1"), Topic: "t", BatchBytes: 1000}, r)
	headers := make([]kafka.Header, 1, 4)
	headers[0].Key = "mine"
	large := []kafka.Message{{Value: make([]byte, 2000)}, {Value: []byte("small"), Headers: headers}}
	var tooLarge kafka.MessageTooLargeError
	if err := w.WriteMessages(t.Context(), large...); !errors.As(err, &tooLarge) {
		t.Errorf("the error is %v", err)
	}
	if len(large[1].Headers) != 1 || headers[:2][1].Key != "" {
		t.Error("the program's own headers are written to")
	}
	if len(tooLarge.Remaining) != 1 || len(tooLarge.Remaining[0].Headers) != 2 {
		t.Errorf("what remains is %+v", tooLarge.Remaining)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.WriteMessages(ctx, kafka.Message{Value: []byte("v")}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := w.WriteMessages(t.Context(), kafka.Message{Value: []byte("v")}); err != io.ErrClosedPipe {
		t.Errorf("the error is %v", err)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	var attempts, failures uint64
	for _, r := range c {
		attempts, failures = attempts+r.Client.Attempts, failures+r.Client.Failures
	}
	if attempts != 4 || failures != 3 {
		t.Errorf("%d attempts, %d failures", attempts, failures)
	}
}

// One record that cannot be written would keep back all others.
func TestATopicThatCannotBeIsTheWritersAffair(t *testing.T) {
	c := counted{}
	r, err := audit.NewRecorder(audit.Options{Tier: "edge", Reporter: c})
	if err != nil {
		t.Fatal(err)
	}
	w := NewWriter(&kafka.Writer{Addr: kafka.TCP("127.0.0.1:1")}, r)
	for _, topic := range []string{"", "\xff"} {
		m := kafka.Message{Topic: topic}
		w.attempt(&m)
		w.Completion([]kafka.Message{m}, errors.New("refused"))
		if len(m.Headers) != 0 {
			t.Errorf("%q is stamped", topic)
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(c) != 0 {
		t.Errorf("it counted %v", c)
	}
}
