// Package proxy takes messages by HTTP and brings them to Kafka, and counts them with
// the audit library as they pass.
//
//	POST /topics/{topic}    the body is the value; the header Message-Key, if there is
//	                        one, the key; Chaperone-Time the event time, Unix milliseconds
//
// The answer is 204 when Kafka has acknowledged the message, 400 for a topic that Kafka
// would not take.
package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// TimeHeader is the HTTP header that says the event time of a message.
const TimeHeader = "Chaperone-Time"

// KeyHeader is the HTTP header that holds the key.
const KeyHeader = "Message-Key"

// maxBytes is the longest message.
const maxBytes = 1 << 20

// topicName is what Kafka takes. Others are refused before they are counted: each topic
// costs memory for as long as the program runs, and the path may say anything.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// A Proxy is an http.Handler. Its methods may be called from any goroutine.
type Proxy struct {
	recorder *audit.Recorder
	send     Sender
	mux      *http.ServeMux
}

// A Sender sends a record and returns when it is acknowledged: kgo.Client's ProduceSync.
type Sender func(ctx context.Context, r *kgo.Record) error

// New makes a Proxy that counts with a Recorder.
func New(recorder *audit.Recorder, send Sender) *Proxy {
	p := &Proxy{recorder: recorder, send: send, mux: http.NewServeMux()}
	p.mux.HandleFunc("POST /topics/{topic}", p.message)
	return p
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

func (p *Proxy) message(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("topic")
	if !topicName.MatchString(name) {
		http.Error(w, fmt.Sprintf("%.300q cannot be a topic", name), http.StatusBadRequest)
		return
	}
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBytes))
	if err != nil {
		http.Error(w, fmt.Sprintf("a message has at most %d bytes: %v", maxBytes, err), http.StatusRequestEntityTooLarge)
		return
	}
	m := &kgo.Record{Topic: name, Value: value}
	if key := r.Header.Get(KeyHeader); key != "" {
		m.Key = []byte(key)
	}
	if at := r.Header.Get(TimeHeader); at != "" {
		m.Headers = append(m.Headers, kgo.RecordHeader{Key: audit.TimeHeader, Value: []byte(at)})
	}
	if err := p.pass(r.Context(), m); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// pass is all that the audit takes: the event time is stamped into a header, unless it
// is there, and the message is counted when it is sent and when Kafka has answered.
func (p *Proxy) pass(ctx context.Context, m *kgo.Record) error {
	topic := p.recorder.Topic(m.Topic)
	at, headers := topic.Stamp(m.Key, m.Value, func(name string) ([]byte, bool) { return header(m, name) })
	for _, h := range headers {
		m.Headers = append(m.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	message := &audit.Passage{Key: m.Key, Value: m.Value, Time: at}
	topic.Attempt(message)
	if err := p.send(ctx, m); err != nil {
		topic.Failure(message)
		return fmt.Errorf("send to topic %s: %w", m.Topic, err)
	}
	topic.Success(message)
	return nil
}

// header is the last of a name.
func header(m *kgo.Record, name string) (value []byte, ok bool) {
	for _, h := range m.Headers {
		if h.Key == name {
			value, ok = h.Value, true
		}
	}
	return value, ok
}
