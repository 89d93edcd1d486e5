package auditsarama

import (
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// NewAsyncProducer makes an asynchronous producer that counts. It is used as sarama's:
// whether Successes and Errors have to be read is what config says. To count, sarama is
// made to return both; what config does not ask for ends here. Close it, and then the
// Recorder.
func NewAsyncProducer(addrs []string, config *sarama.Config, r *audit.Recorder) (sarama.AsyncProducer, error) {
	if config == nil {
		config = sarama.NewConfig()
	}
	counting, err := returnAll(config)
	if err != nil {
		return nil, err
	}
	p, err := sarama.NewAsyncProducer(addrs, counting)
	if err != nil {
		return nil, err
	}
	return newAsyncProducer(p, config, r), nil
}

// NewAsyncProducerFromClient is NewAsyncProducer on a client, which the program closes
// after the producer.
func NewAsyncProducerFromClient(client sarama.Client, r *audit.Recorder) (sarama.AsyncProducer, error) {
	config := client.Config()
	counting, err := returnAll(config)
	if err != nil {
		return nil, err
	}
	p, err := sarama.NewAsyncProducerFromClient(&countingClient{client, counting})
	if err != nil {
		return nil, err
	}
	return newAsyncProducer(p, config, r), nil
}

// countingClient has a Config of its own, for others may use the client.
type countingClient struct {
	sarama.Client
	config *sarama.Config
}

func (c *countingClient) Config() *sarama.Config { return c.config }

func returnAll(config *sarama.Config) (*sarama.Config, error) {
	if !config.Version.IsAtLeast(sarama.V0_11_0_0) {
		return nil, fmt.Errorf("auditsarama: Config.Version %s: event times are headers, which need 0.11 or later", config.Version)
	}
	counting := *config
	counting.Producer.Return.Successes, counting.Producer.Return.Errors = true, true
	return &counting, nil
}

// asyncProducer stands before sarama's:
//
//	Input -> forward -> sarama -> passSuccesses -> Successes
//	                          \-> passErrors ----> Errors
type asyncProducer struct {
	sarama.AsyncProducer
	r         *audit.Recorder
	successes chan *sarama.ProducerMessage
	errors    chan *sarama.ProducerError
	input     chan *sarama.ProducerMessage
	want      struct{ successes, errors bool }

	closing sync.Once
	passers sync.WaitGroup
	passed  chan struct{} // closed when sarama's producer has ended
}

func newAsyncProducer(under sarama.AsyncProducer, config *sarama.Config, r *audit.Recorder) *asyncProducer {
	p := &asyncProducer{
		AsyncProducer: under,
		r:             r,
		successes:     make(chan *sarama.ProducerMessage, config.ChannelBufferSize),
		errors:        make(chan *sarama.ProducerError, config.ChannelBufferSize),
		input:         make(chan *sarama.ProducerMessage, config.ChannelBufferSize),
		passed:        make(chan struct{}),
	}
	p.want.successes, p.want.errors = config.Producer.Return.Successes, config.Producer.Return.Errors
	p.passers.Go(p.passSuccesses)
	p.passers.Go(p.passErrors)
	go func() {
		p.passers.Wait()
		close(p.passed)
	}()
	go p.forward()
	return p
}

func (p *asyncProducer) Input() chan<- *sarama.ProducerMessage     { return p.input }
func (p *asyncProducer) Successes() <-chan *sarama.ProducerMessage { return p.successes }
func (p *asyncProducer) Errors() <-chan *sarama.ProducerError      { return p.errors }

// A mark is Metadata of a message that is none: it keeps its place among those that are.
type mark struct {
	last    bool          // nothing comes after it
	reached chan struct{} // closed when all before it are with sarama
}

func markOf(msg *sarama.ProducerMessage) *mark {
	m, _ := msg.Metadata.(*mark)
	return m
}

// forward brings messages to sarama, until the producer is closed.
func (p *asyncProducer) forward() {
	under := p.AsyncProducer.Input()
	for msg := range p.input {
		if msg == nil {
			under <- nil // sarama says that there was one
			continue
		}
		switch m := markOf(msg); {
		case m == nil:
			attempt(p.r, msg)
			under <- msg
		case m.last:
			p.AsyncProducer.AsyncClose()
			p.refuse()
			return
		default:
			close(m.reached)
		}
	}
}

// refuse answers what comes while the producer is being closed, as sarama does.
func (p *asyncProducer) refuse() {
	for {
		select {
		case msg := <-p.input:
			p.refuseOne(msg)
		case <-p.passed:
			close(p.input)
			for msg := range p.input { // what came at the last moment
				p.refuseOne(msg)
			}
			close(p.errors)
			close(p.successes)
			return
		}
	}
}

func (p *asyncProducer) refuseOne(msg *sarama.ProducerMessage) {
	if msg == nil {
		return
	}
	if m := markOf(msg); m != nil {
		close(m.reached)
		return
	}
	attempt(p.r, msg)
	p.fail(&sarama.ProducerError{Msg: msg, Err: sarama.ErrShuttingDown})
}

func (p *asyncProducer) passSuccesses() {
	for msg := range p.AsyncProducer.Successes() {
		outcome(p.r, msg, nil)
		if p.want.successes {
			p.successes <- msg
		}
	}
}

func (p *asyncProducer) passErrors() {
	for err := range p.AsyncProducer.Errors() {
		p.fail(err)
	}
}

func (p *asyncProducer) fail(err *sarama.ProducerError) {
	outcome(p.r, err.Msg, err)
	if p.want.errors {
		p.errors <- err
	} else {
		sarama.Logger.Println(err)
	}
}

// AsyncClose begins to close. As with sarama's, it is over when both channels are
// closed; until then they have to be read.
func (p *asyncProducer) AsyncClose() {
	p.closing.Do(func() {
		go func() { p.input <- &sarama.ProducerMessage{Metadata: &mark{last: true}} }()
	})
}

// Close returns when all messages have come to their end, with the errors that nobody
// has read.
func (p *asyncProducer) Close() error {
	p.AsyncClose()
	go func() {
		for range p.successes {
		}
	}()
	var errs sarama.ProducerErrors
	for err := range p.errors {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// reach returns when what was sent to Input before is with sarama: what a transaction
// begins and ends with must not overtake messages.
func (p *asyncProducer) reach() {
	if !p.IsTransactional() {
		return // sarama says so
	}
	m := &mark{reached: make(chan struct{})}
	p.input <- &sarama.ProducerMessage{Metadata: m}
	<-m.reached
}

func (p *asyncProducer) BeginTxn() error {
	p.reach()
	return p.AsyncProducer.BeginTxn()
}

func (p *asyncProducer) CommitTxn() error {
	p.reach()
	return p.AsyncProducer.CommitTxn()
}

func (p *asyncProducer) AbortTxn() error {
	p.reach()
	return p.AsyncProducer.AbortTxn()
}
