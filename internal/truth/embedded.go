package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/embedded/kafka"
	"github.com/chaperone-audit/chaperone/internal/figures"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// What is played through brokers: windows and grace are short, so that it takes two
// minutes, and all times are those of the machine.
const (
	liveSize       = 20 * time.Second
	liveGrace      = 8 * time.Second
	liveWindows    = 3
	liveTopics     = 20
	livePartitions = 3
	livePerWindow  = 16
)

// liveFault is what befalls a topic in a window: so many of its messages, one after the
// other, are lost, come twice, or are altered.
type liveFault struct {
	lose, double, alter int
	late                bool // all of them come long after
	ids                 map[compare.Kind][]uint64
	sent                int
	held                []*sarama.ProducerMessage
}

// runLive injects faults between two clusters, with everything in this process that runs
// in production, and gives how many it injected.
func runLive(ctx context.Context, seed uint64) (bool, error) {
	r := rand.New(rand.NewPCG(seed, 2))
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	edge, err := kafka.Start(kafka.Options{Log: log})
	if err != nil {
		return false, err
	}
	defer edge.Stop()
	core, err := kafka.Start(kafka.Options{Log: log})
	if err != nil {
		return false, err
	}
	defer core.Stop()
	cfg := config.Default()
	cfg.Clusters = []config.Cluster{
		{Name: "edge", Tier: "edge", Kafka: config.Kafka{Brokers: edge.Brokers()}},
		{Name: "core", Tier: "core", Kafka: config.Kafka{Brokers: core.Brokers()}},
	}
	cfg.Codecs = []config.Codec{{Topics: ".*", Codec: config.Names{"json"}}}
	cfg.Pipelines = []config.Pipeline{{Name: "main", Topics: []string{".*"}, Tiers: []string{"edge", "core"}, Grace: liveGrace, LateWithin: 10 * time.Minute}}
	cfg.Audit.Shards, cfg.Audit.Partitions = 8, 4
	cfg.Topics.Include, cfg.Topics.Poll = []string{"live-.*"}, time.Second
	cfg.Windows.Size = liveSize
	cfg.HTTP.Addr = "127.0.0.1:0"
	a, err := app.New(ctx, app.Options{Config: &cfg, Parts: []app.Part{app.Count, app.Collect}, Version: "truth", Log: log})
	if err != nil {
		return false, err
	}
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(running) }()
	l := &live{r: r, plan: map[string]map[int64]*liveFault{}, final: map[string]map[int64]*compare.Verdict{}}
	err = l.run(ctx, edge.Brokers(), core.Brokers(), cfg.Audit.Prefix+"-verdicts")
	cancel()
	if e := <-ended; e != nil && !errors.Is(e, shards.ErrLeft) {
		err = errors.Join(err, e)
	}
	if err != nil {
		return false, err
	}
	return l.print(seed), nil
}

type live struct {
	r        *rand.Rand
	plan     map[string]map[int64]*liveFault // by topic and start of the window, seconds
	final    map[string]map[int64]*compare.Verdict
	found    []float64
	verdicts int
}

func (l *live) run(ctx context.Context, edge, core []string, verdicts string) error {
	from, err := producer(edge)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := producer(core)
	if err != nil {
		return err
	}
	defer to.Close()
	size := int64(liveSize / time.Second)
	first := (time.Now().Unix()/size + 1) * size
	if first-time.Now().Unix() < 5 {
		first += size
	}
	for i := range liveTopics {
		name := fmt.Sprint("live-", i)
		l.plan[name] = map[int64]*liveFault{}
		made := first
		if i%5 == 4 { // a topic that is new
			made += size
		}
		for w := made; w < first+liveWindows*size; w += size {
			l.plan[name][w] = l.befall()
		}
		for _, brokers := range [][]string{edge, core} {
			if made > first {
				continue
			}
			if err := l.create(brokers, name); err != nil {
				return err
			}
		}
	}
	consumed := make(chan error, 1)
	watching, stop := context.WithCancel(ctx)
	seen := make(chan *compare.Verdict, 1000)
	go func() { consumed <- watch(watching, edge, verdicts, seen) }()
	defer func() { stop(); <-consumed }()

	n := 0
	end := time.Unix(first+liveWindows*size, 0)
	for at := time.Unix(first, 0); at.Before(end); at = at.Add(liveSize / livePerWindow) {
		time.Sleep(time.Until(at.Add(time.Millisecond)))
		w := time.Now().Unix() / size * size
		for _, name := range slices.Sorted(maps.Keys(l.plan)) {
			f := l.plan[name][w]
			if f == nil {
				continue
			}
			if f.sent == 0 && l.plan[name][w-size] == nil && w > first {
				for _, brokers := range [][]string{edge, core} {
					if err := l.create(brokers, name); err != nil {
						return err
					}
				}
			}
			n++
			if err := l.send(from, to, name, f, n); err != nil {
				return err
			}
		}
		l.take(seen)
	}
	time.Sleep(time.Until(end.Add(liveGrace + 30*time.Second)))
	for _, windows := range l.plan { // what was held comes
		for _, f := range windows {
			if len(f.held) > 0 {
				if err := to.SendMessages(f.held); err != nil {
					return err
				}
			}
		}
	}
	time.Sleep(liveGrace + 30*time.Second)
	l.take(seen)
	return nil
}

func (l *live) befall() *liveFault {
	f := &liveFault{ids: map[compare.Kind][]uint64{}}
	switch l.r.IntN(8) {
	case 0, 1:
		f.lose = 1 + l.r.IntN(3)
	case 2:
		f.double = 1 + l.r.IntN(3)
	case 3:
		f.alter = 1 + l.r.IntN(2)
	case 4:
		f.lose, f.double = 1, 1
	case 5:
		f.late = true
	case 6:
		f.lose = livePerWindow
	}
	return f
}

func (f *liveFault) any() bool { return f.lose+f.double+f.alter > 0 || f.late }

// send sends a message, and carries on what becomes of it.
func (l *live) send(from, to sarama.SyncProducer, topic string, f *liveFault, n int) error {
	now := time.Now()
	key := fmt.Appendf(nil, "%s-%d", topic, n)
	v := value(n, now.UnixMilli(), 0)
	message := func(v []byte) *sarama.ProducerMessage {
		return &sarama.ProducerMessage{Topic: topic, Key: sarama.ByteEncoder(key), Value: sarama.ByteEncoder(v), Partition: int32(n % livePartitions), Timestamp: now}
	}
	if _, _, err := from.SendMessage(message(v)); err != nil {
		return err
	}
	f.sent++
	copies := []*sarama.ProducerMessage{message(v)}
	switch i := f.sent; {
	case i <= f.lose:
		f.ids[compare.Missing] = append(f.ids[compare.Missing], idOf(key, v))
		return nil
	case i <= f.lose+f.double:
		f.ids[compare.Duplicated] = append(f.ids[compare.Duplicated], idOf(key, v))
		copies = append(copies, message(v))
	case i <= f.lose+f.double+f.alter:
		altered := value(n, now.UnixMilli(), 1)
		f.ids[compare.Altered] = append(f.ids[compare.Altered], idOf(key, v), idOf(key, altered))
		copies = []*sarama.ProducerMessage{message(altered)}
	}
	if f.late {
		f.held = append(f.held, copies...)
		return nil
	}
	return to.SendMessages(copies)
}

// take keeps the newest verdicts.
func (l *live) take(seen chan *compare.Verdict) {
	for {
		select {
		case v := <-seen:
			l.verdicts++
			windows := l.final[v.Topic]
			if windows == nil {
				windows = map[int64]*compare.Verdict{}
				l.final[v.Topic] = windows
			}
			old := windows[v.Start]
			if v.State == compare.Final && (old == nil || !old.State.Settled()) {
				l.found = append(l.found, float64(v.Judged)/1000-float64(v.Start+v.Size)-liveGrace.Seconds())
			}
			if old == nil || v.Version > old.Version {
				windows[v.Start] = v
			}
		default:
			return
		}
	}
}

func (l *live) print(seed uint64) bool {
	injected, wrong := 0, map[string]int{}
	fail := func(kind, topic string, w int64, f *liveFault, v *compare.Verdict, what string) {
		wrong[kind]++
		text := "nothing"
		if v != nil {
			text = said(v)
		}
		fmt.Printf("%s: seed %d: %s %s, lost %d, doubled %d, altered %d, late %v: %s: %s\n", kind, seed, topic, clock(w*1000), len(f.ids[compare.Missing]), f.double, f.alter, f.late, what, text)
	}
	for _, topic := range slices.Sorted(maps.Keys(l.plan)) {
		for w, f := range l.plan[topic] {
			if f.sent == 0 {
				continue
			}
			if f.any() {
				injected++
			}
			v := l.final[topic][w]
			if v == nil || !v.State.Settled() {
				fail(notSettled, topic, w, f, v, "it is not settled")
				continue
			}
			if v.Kind == compare.Complete && f.any() {
				fail(falseComplete, topic, w, f, v, "it is not complete")
				continue
			}
			got := map[compare.Kind]*compare.Finding{}
			for i := range v.Findings {
				got[v.Findings[i].Kind] = &v.Findings[i]
			}
			for _, c := range []struct {
				kind compare.Kind
				n    int
			}{{compare.Missing, len(f.ids[compare.Missing])}, {compare.Duplicated, f.double}, {compare.Altered, f.alter}} {
				g := got[c.kind]
				switch {
				case g == nil && c.n > 0:
					fail(missedFault, topic, w, f, v, string(c.kind))
				case g != nil && c.n == 0:
					fail(falseFinding, topic, w, f, v, string(c.kind))
				case g == nil:
				case g.Bound == compare.Exactly && g.Messages != uint64(c.n), g.Messages > uint64(c.n):
					fail(wrongNumber, topic, w, f, v, string(c.kind))
				}
				if g != nil {
					for _, id := range g.IDs {
						if !slices.Contains(f.ids[c.kind], id.ID) {
							fail(wrongName, topic, w, f, v, fmt.Sprint(id.ID))
						}
					}
				}
			}
			g := got[compare.Late]
			switch {
			case f.late && (g == nil || g.Reason != compare.Arrived || g.Messages != uint64(f.sent)):
				fail(missedFault, topic, w, f, v, "late")
			case !f.late && g != nil, got[compare.Unknown] != nil:
				fail(falseFinding, topic, w, f, v, "late or unknown")
			}
		}
	}
	figures.Print("truth-live-faults-injected", "through embedded brokers, with all parts", float64(injected), figures.Aim{})
	ok := true
	for _, f := range []struct{ kind, name string }{
		{missedFault, "truth-live-faults-missed"}, {falseFinding, "truth-live-false-findings"}, {falseComplete, "truth-live-false-complete"},
		{wrongNumber, "truth-live-wrong-numbers"}, {wrongName, "truth-live-wrong-names"}, {notSettled, "truth-live-unsettled"},
	} {
		figures.Print(f.name, "as above", float64(wrong[f.kind]), figures.AtMost(0))
		ok = ok && wrong[f.kind] == 0
	}
	if len(l.found) > 0 {
		figures.Print("truth-live-found-within-s", fmt.Sprintf("seconds of log time from the end of grace to the verdict; median %.1f, %s", figures.Median(l.found), figures.Spread(l.found)), slices.Max(l.found), figures.Aim{})
	}
	return ok && injected > 0
}

func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.RequiredAcks = sarama.WaitForAll
	return c
}

func producer(brokers []string) (sarama.SyncProducer, error) {
	return sarama.NewSyncProducer(brokers, saramaConfig())
}

func (l *live) create(brokers []string, topic string) error {
	admin, err := sarama.NewClusterAdmin(brokers, saramaConfig())
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: livePartitions, ReplicationFactor: 1}, false)
}

// watch hands on all verdicts, from the first one on.
func watch(ctx context.Context, brokers []string, topic string, seen chan<- *compare.Verdict) error {
	c, err := sarama.NewConsumer(brokers, saramaConfig())
	if err != nil {
		return err
	}
	defer c.Close()
	var partitions []int32
	for partitions, err = c.Partitions(topic); err != nil; partitions, err = c.Partitions(topic) {
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
	for _, p := range partitions {
		pc, err := c.ConsumePartition(topic, p, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		defer pc.AsyncClose()
		go func() {
			for m := range pc.Messages() {
				if v, _, err := compare.Decode(m.Value); err == nil && v != nil {
					seen <- v
				}
			}
		}()
	}
	<-ctx.Done()
	return nil
}
