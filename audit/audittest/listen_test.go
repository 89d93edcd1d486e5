package audittest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// record makes a recorder that reports often.
func record(t *testing.T, reporter audit.Reporter, tier string) *audit.Recorder {
	t.Helper()
	r, err := audit.NewRecorder(audit.Options{Tier: tier, Reporter: reporter, Every: 100 * time.Millisecond, Window: time.Minute,
		OnError: func(err error) { t.Errorf("tier %s: %v", tier, err) }})
	must(t, err)
	return r
}

// newest is a Reporter that keeps the newest record of each window.
type newest struct {
	mu      sync.Mutex
	windows map[string]*audit.Record
}

func (n *newest) Report(_ context.Context, records []*audit.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range records {
		if r.Kind == audit.KindWindow {
			n.windows[r.IdentityKey()] = r
		}
	}
	return nil
}

func (n *newest) sum() (attempts, successes, failures uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.windows {
		attempts, successes, failures = attempts+r.Client.Attempts, successes+r.Tally.Count, failures+r.Client.Failures
	}
	return attempts, successes, failures
}

func end(t *testing.T, r *audit.Recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	must(t, r.Close(ctx))
	if s := r.Stats(); s.Lost+s.Uncounted != 0 || s.Pending != 0 {
		t.Errorf("at the end: %+v", s)
	}
}

// look reads a topic without any adapter: all that comes, of which there is to be at
// least so much.
func look(t *testing.T, brokers []string, topic string, least int) (list []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(t, err)
	defer client.Close()
	for {
		patience := 30 * time.Second
		if len(list) >= least {
			patience = time.Second // for what should not be there
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		fetches := client.PollFetches(ctx)
		cancel()
		list = append(list, fetches.Records()...)
		if fetches.NumRecords() == 0 {
			return list
		}
	}
}

// heard is what an audit keeps of the audit topic: the newest record of each identity.
type heard map[string]*audit.Record

func listen(t *testing.T, brokers []string, topic string) heard {
	t.Helper()
	said := heard{}
	for _, m := range look(t, brokers, topic, 1) {
		var r audit.Record
		must(t, json.Unmarshal(m.Value, &r))
		must(t, r.Validate())
		if want := audit.PartitionOf(r.Key(), 4); string(m.Key) != r.Key() || m.Partition != want {
			t.Errorf("record %s is under key %q in partition %d, want %d", m.Value, m.Key, m.Partition, want)
		}
		if old := said[r.IdentityKey()]; old == nil || old.Version < r.Version {
			said[r.IdentityKey()] = &r
		}
	}
	return said
}

// says checks the sum of what a tier says of a topic, and that it has said goodbye.
func says(t *testing.T, said heard, topic, tier string, attempts, successes, failures uint64, truth *audit.Tally) {
	t.Helper()
	var sum audit.Tally
	var a, f uint64
	goodbyes := 0
	for _, r := range said {
		if r.Topic != topic || r.Tier != tier {
			continue
		}
		switch r.Kind {
		case audit.KindWindow:
			sum.Merge(&r.Tally.Tally)
			a, f = a+r.Client.Attempts, f+r.Client.Failures
		case audit.KindGoodbye:
			goodbyes++
			if c := r.Client; c.Attempts != attempts || c.Successes != successes || c.Failures != failures {
				t.Errorf("tier %s says goodbye with %+v", tier, c)
			}
		}
	}
	if a != attempts || sum.Count != successes || f != failures || goodbyes != 1 {
		t.Errorf("tier %s: %d attempts, %d successes, %d failures, %d goodbyes; want %d, %d, %d and 1",
			tier, a, sum.Count, f, goodbyes, attempts, successes, failures)
	}
	if truth != nil && (sum.Bytes != truth.Bytes || sum.Fingerprint != truth.Fingerprint || sum.PowerSums != truth.PowerSums || sum.Moments != truth.Moments || sum.NoTime != 0) {
		t.Errorf("tier %s: %d bytes, fingerprint %x, %d without time; want %d, %x, 0",
			tier, sum.Bytes, sum.Fingerprint, sum.NoTime, truth.Bytes, truth.Fingerprint)
	}
}
