package audittest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/audit"
)

// A broker that has trouble with some requests to produce.
type trouble struct {
	mu   sync.Mutex
	with []error // of the next requests: nil is none, errCut ends the connection
	met  int
}

var errCut = errors.New("the connection is cut")

func (b *trouble) answer(req kmsg.Request) (kmsg.Response, error, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := req.(*kmsg.ProduceRequest)
	if len(b.with) == 0 {
		return nil, nil, false
	}
	cause := b.with[0]
	b.with = b.with[1:]
	if cause == nil {
		return nil, nil, false
	}
	b.met++
	if cause == errCut {
		return nil, errCut, true
	}
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range p.Topics {
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, part := range t.Partitions {
			rp := kmsg.NewProduceResponseTopicPartition()
			rp.Partition, rp.ErrorCode = part.Partition, cause.(*kerr.Error).Code
			rp.BaseOffset = -1
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp, nil, true
}

func (b *trouble) happened() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.met > 0
}

// troubled starts a broker that has trouble with the first requests to produce.
func troubled(t *testing.T, topic string, with ...error) (*trouble, []string) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	must(t, err)
	t.Cleanup(c.Close)
	b := &trouble{with: with}
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return b.answer(req)
	})
	return b, c.ListenAddrs()
}

// What the client sends again counts once; what the broker refuses, counts as refused.
func TestRetriesCountNothing(t *testing.T) {
	for _, a := range adapters {
		t.Run(a.name, func(t *testing.T) {
			for _, tc := range []struct {
				name    string
				with    []error
				refused bool // the first message at least
			}{
				{"not leader", []error{kerr.NotLeaderForPartition, nil, kerr.NotLeaderForPartition, kerr.NotLeaderForPartition}, false},
				{"cut", []error{errCut, nil, errCut}, false},
				{"timeout", []error{kerr.RequestTimedOut, nil, kerr.NotEnoughReplicas}, false},
				{"refused", []error{kerr.InvalidRecord}, true},
			} {
				t.Run(tc.name, func(t *testing.T) {
					const n = 50
					b, brokers := troubled(t, "orders", tc.with...)
					got := &newest{windows: map[string]*audit.Record{}}
					r := record(t, got, "producer")
					msgs := make([]message, n)
					for i := range msgs {
						msgs[i] = message{topic: "orders", key: fmt.Append(nil, i), value: []byte("v")}
					}
					failures := uint64(0)
					for i, err := range a.produce(t, brokers, r, msgs) {
						if err != nil {
							failures++
							if !tc.refused {
								t.Errorf("message %d: %v", i, err)
							}
						}
					}
					end(t, r)
					if !b.happened() {
						t.Error("there was no trouble")
					}
					if tc.refused && failures == 0 {
						t.Error("nothing is refused")
					}
					at, s, f := got.sum()
					if at != n || s != n-failures || f != failures {
						t.Errorf("%d attempts, %d successes, %d failures; want %d, %d, %d", at, s, f, n, n-failures, failures)
					}
					held := look(t, brokers, "orders", int(s))
					if len(held) != int(s) {
						t.Errorf("the topic holds %d messages, want %d", len(held), s)
					}
					for _, m := range held {
						stamped(t, m, 0)
					}
				})
			}
		})
	}
}
