package produce

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func mustNew(t *testing.T, cfg Config) *Generator {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// mixed is a configuration with everything that can go wrong with a message.
func mixed(t *testing.T, c *kafkatest.Cluster) Config {
	return Config{
		Brokers: c.Brokers(), Create: true, Seed: 7,
		Topics:   []Topic{{kafkatest.Name(t, "orders"), 1}, {kafkatest.Name(t, "clicks"), 4}},
		Total:    3000,
		Disorder: 15 * time.Minute, NoTime: 0.05, Malformed: 0.05, PayloadBytes: 300,
	}
}

func names(topics []Topic) (s []string) {
	for _, t := range topics {
		s = append(s, t.Name)
	}
	return s
}

func TestTruthEqualsARecountOfTheLog(t *testing.T) {
	for _, declared := range []bool{false, true} {
		t.Run(map[bool]string{false: "undeclared", true: "declared"}[declared], func(t *testing.T) {
			kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
				cfg := mixed(t, c)
				cfg.Declared = declared
				g := mustNew(t, cfg)
				if err := g.Run(within(t)); err != nil {
					t.Fatal(err)
				}
				if g.Acked() != 3000 || g.Uncertain() != 0 {
					t.Errorf("%d acknowledged and %d uncertain of 3000", g.Acked(), g.Uncertain())
				}
				got, err := Recount(within(t), c.Brokers(), names(cfg.Topics), RecountConfig{Declared: func(string) bool { return declared }})
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range Differences(ByKey(g.Truth()), got) {
					t.Error(d)
				}
				var sum Counts
				var garbled uint64
				windows := map[audit.Window]bool{}
				for _, r := range g.Truth() {
					sum.add(r.Counts)
					garbled += r.Garbled
					windows[r.Window] = true
				}
				if sum.Count != 3000 || garbled == 0 || len(windows) < 2 || (sum.Malformed == garbled) != declared || sum.NoTime == 0 {
					t.Errorf("truth in %d windows is %+v, %d garbled", len(windows), sum, garbled)
				}
			})
		})
	}
}

func TestTruthIsExactWhenTheBrokerRestarts(t *testing.T) {
	story := func(t *testing.T, c *kafkatest.Cluster) {
		cfg := mixed(t, c)
		cfg.Total, cfg.Rate = 0, 2000
		g := mustNew(t, cfg)
		ctx, stop := context.WithCancel(within(t))
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		reach := func(n int64) {
			t.Helper()
			for g.Acked() < n {
				select {
				case err := <-done:
					t.Fatalf("ended after %d messages: %v", g.Acked(), err)
				case <-ctx.Done():
					t.Fatalf("%d of %d messages", g.Acked(), n)
				case <-time.After(10 * time.Millisecond):
				}
			}
		}
		reach(500)
		if err := c.Restart(within(t)); err != nil {
			t.Fatal(err)
		}
		reach(g.Acked() + 500)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		got, err := Recount(within(t), c.Brokers(), names(cfg.Topics), RecountConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range Differences(ByKey(g.Truth()), got) {
			t.Error(d)
		}
	}
	t.Run("kfake", func(t *testing.T) { story(t, kafkatest.Kfake(t)) })
	t.Run("apache", func(t *testing.T) { story(t, kafkatest.Apache(t, 1)[0]) })
}

func TestTransactionsAreRecountedOnlyIfCommitted(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		ctx := within(t)
		topic := kafkatest.Name(t, "txn")
		c.MustCreateTopic(t, topic, 1, nil)
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for _, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := client.ProduceSync(ctx, kgo.StringRecord("plain text")).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			if err := client.EndTransaction(ctx, commit); err != nil {
				t.Fatal(err)
			}
		}
		counts, err := Recount(ctx, c.Brokers(), []string{topic}, RecountConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var sum Counts
		for _, n := range counts {
			sum.add(n)
		}
		if want := (Counts{Count: 6, Bytes: 60, NoTime: 6}); sum != want {
			t.Errorf("recounted %+v, want %+v", sum, want)
		}
	})
}

func TestTheSameSeedMakesTheSameMessages(t *testing.T) {
	cfg := Config{Brokers: []string{"unused:1"}, Topics: []Topic{{"orders", 1}, {"clicks", 1}}, Disorder: time.Hour,
		NoTime: 0.1, Malformed: 0.1, Seed: 3, Start: time.Unix(1_700_000_000, 0), Rate: 1000}
	text := func(cfg Config) string {
		g := mustNew(t, cfg)
		var b strings.Builder
		for i := range int64(200) {
			m := g.message(i)
			v, _ := m.Value.Encode()
			b.WriteString(m.Topic + m.Timestamp.UTC().String() + string(v) + "\n")
		}
		return b.String()
	}
	first := text(cfg)
	if text(cfg) != first {
		t.Error("the same seed made other messages")
	}
	cfg.Seed = 4
	if text(cfg) == first {
		t.Error("another seed made the same messages")
	}
}

func TestMessagesAreOfTheirKindAndSize(t *testing.T) {
	s := newShaper(1, "at", 300)
	event := time.UnixMilli(1_700_000_000_123)
	rfc := 0
	for i := range 300 {
		topic := []string{"orders", "clicks"}[i%2]
		for k, valid := range map[kind]bool{timedKind: true, timelessKind: true, garbledKind: false} {
			_, v := s.message(topic, k, event)
			if json.Valid(v) != valid {
				t.Fatalf("kind %d: valid JSON is %t: %s", k, !valid, v)
			}
			if len(v) < 250 || len(v) > 350 {
				t.Fatalf("%d bytes, want about 300: %s", len(v), v)
			}
			var o struct{ At any }
			if k != garbledKind {
				if err := json.Unmarshal(v, &o); err != nil {
					t.Fatal(err)
				}
			}
			switch at := o.At.(type) {
			case nil:
				if k == timedKind {
					t.Fatalf("no time: %s", v)
				}
			case string:
				rfc++
				if at != "2023-11-14T22:13:20.123Z" {
					t.Fatalf("time is %s", at)
				}
			case float64:
				if at != 1_700_000_000_123 {
					t.Fatalf("time is %f", at)
				}
			}
		}
	}
	if rfc == 0 || rfc == 300 {
		t.Errorf("%d of 300 times are RFC 3339, want some", rfc)
	}
}

func TestProblemsOfAConfigurationAreAllNamed(t *testing.T) {
	_, err := New(Config{Rate: -1, NoTime: 0.7, Malformed: 0.7, WindowSize: 7 * time.Minute, PayloadBytes: 1 << 20})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"brokers", "topics", "negative", "at most 1", "window size", "payload"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestAMissingTopicIsNamed(t *testing.T) {
	c := kafkatest.Kfake(t)
	g := mustNew(t, Config{Brokers: c.Brokers(), Topics: []Topic{{"absent", 1}}, Total: 1})
	if err := g.Run(within(t)); err == nil || !strings.Contains(err.Error(), "topic absent does not exist") {
		t.Errorf("error is %v", err)
	}
}

func TestThePaceIsEven(t *testing.T) {
	now := time.Unix(1000, 0)
	p := pacer{rate: 2, began: now, now: func() time.Time { return now }}
	due := func(i int64) bool {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // do not wait for what is not due
		d := p.began.Add(time.Duration(i) * 500 * time.Millisecond).Sub(now)
		return p.wait(ctx, i) || d < time.Millisecond
	}
	if !due(0) || due(1) {
		t.Error("at first, message 0 is due and 1 is not")
	}
	now = now.Add(500 * time.Millisecond)
	if !due(1) || due(2) {
		t.Error("after half a second message 1 is due and 2 is not")
	}
	now = now.Add(time.Hour)
	due(2)
	if n := now.Sub(p.began).Seconds() * 2; n > 5 {
		t.Errorf("after a standstill %g messages are due at once, want at most a second's worth", n)
	}
}
