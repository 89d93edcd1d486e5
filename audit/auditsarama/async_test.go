package auditsarama

import (
	"errors"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// under is a producer of sarama without a network: it answers each message by its
// Metadata, and closes as sarama does.
type under struct {
	sarama.AsyncProducer
	input     chan *sarama.ProducerMessage
	successes chan *sarama.ProducerMessage
	errors    chan *sarama.ProducerError
	quit      chan struct{}
	seen      []any // Metadata, and transactions
	txn       bool
	slow      time.Duration
}

func newUnder() *under {
	u := &under{input: make(chan *sarama.ProducerMessage), successes: make(chan *sarama.ProducerMessage), errors: make(chan *sarama.ProducerError), quit: make(chan struct{})}
	go func() {
		for {
			select {
			case m := <-u.input:
				if m == nil {
					continue
				}
				u.seen = append(u.seen, m.Metadata)
				if err, bad := m.Metadata.(error); bad {
					u.errors <- &sarama.ProducerError{Msg: m, Err: err}
				} else {
					u.successes <- m
				}
			case <-u.quit:
				close(u.errors)
				close(u.successes)
				return
			}
		}
	}()
	return u
}

func (u *under) Input() chan<- *sarama.ProducerMessage     { return u.input }
func (u *under) Successes() <-chan *sarama.ProducerMessage { return u.successes }
func (u *under) Errors() <-chan *sarama.ProducerError      { return u.errors }
func (u *under) AsyncClose()                               { time.AfterFunc(u.slow, func() { close(u.quit) }) }
func (u *under) IsTransactional() bool                     { return u.txn }
func (u *under) CommitTxn() error {
	u.input <- &sarama.ProducerMessage{Metadata: "commit"}
	return nil
}

func config(successes, errors bool) *sarama.Config {
	c := sarama.NewConfig()
	c.ChannelBufferSize = 4
	c.Producer.Return.Successes, c.Producer.Return.Errors = successes, errors
	return c
}

var errRefused = errors.New("refused")

// Who asked for neither must not be held up by them.
func TestWhatNobodyAskedForEndsHere(t *testing.T) {
	r, sum := recorder(t)
	p := newAsyncProducer(newUnder(), config(false, false), r)
	p.Input() <- nil // sarama ignores it
	for i := range 100 {
		m := &sarama.ProducerMessage{Topic: "t", Metadata: i}
		if i%10 == 0 {
			m.Metadata = errRefused
		}
		p.Input() <- m
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if a, s, f := sum(); a != 100 || s != 90 || f != 10 {
		t.Errorf("%d attempts, %d successes, %d failures", a, s, f)
	}
}

func TestCloseSaysWhichMessagesFailed(t *testing.T) {
	r, sum := recorder(t)
	p := newAsyncProducer(newUnder(), config(true, true), r)
	p.Input() <- &sarama.ProducerMessage{Topic: "t", Metadata: errRefused}
	p.Input() <- &sarama.ProducerMessage{Topic: "t", Metadata: 1}
	var errs sarama.ProducerErrors
	if err := p.Close(); !errors.As(err, &errs) || len(errs) != 1 || !errors.Is(errs[0], errRefused) {
		t.Errorf("close says %v", err)
	}
	if a, s, f := sum(); a != 2 || s != 1 || f != 1 {
		t.Errorf("%d attempts, %d successes, %d failures", a, s, f)
	}
}

// While it is being closed each message that still comes has an answer.
func TestMessagesThatComeTooLateAreRefused(t *testing.T) {
	r, sum := recorder(t)
	u := newUnder()
	u.slow = 200 * time.Millisecond // to close
	p := newAsyncProducer(u, config(true, true), r)
	const sent = 1000
	answers := 0
	go func() {
		for i := range sent {
			p.Input() <- &sarama.ProducerMessage{Topic: "t"}
			if i == sent/2 {
				p.AsyncClose()
			}
		}
	}()
	successes, failures := p.Successes(), p.Errors()
	for successes != nil || failures != nil {
		select {
		case _, ok := <-successes:
			if !ok {
				successes = nil
				continue
			}
		case e, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			if !errors.Is(e, sarama.ErrShuttingDown) {
				t.Error(e)
			}
		}
		answers++
	}
	a, s, f := sum()
	if answers != sent || a != sent || s+f != a || f == 0 {
		t.Errorf("%d sent, %d answers; %d attempts, %d successes, %d failures", sent, answers, a, s, f)
	}
}

// The commit of a transaction must not overtake messages that were sent before it.
func TestTransactionsEndAfterTheirMessages(t *testing.T) {
	r, _ := recorder(t)
	u := newUnder()
	u.txn = true
	p := newAsyncProducer(u, config(false, true), r)
	for i := range 4 { // as many as are buffered
		p.Input() <- &sarama.ProducerMessage{Topic: "t", Metadata: i}
	}
	if err := p.CommitTxn(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if len(u.seen) != 5 || u.seen[4] != "commit" {
		t.Errorf("sarama has seen %v", u.seen)
	}
}

func TestHeadersNeedAVersionThatHasThem(t *testing.T) {
	r, _ := recorder(t)
	c := config(true, true)
	c.Version = sarama.V0_10_2_1
	if _, err := NewAsyncProducer(nil, c, r); err == nil {
		t.Error("0.10 is accepted")
	}
}
