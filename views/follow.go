package views

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// once reads the table and follows it until something goes wrong or ctx ends.
func (s *Sources) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := sarama.NewClient(s.o.Brokers, shards.AskConfig(s.o.Config()))
	if err != nil {
		return fmt.Errorf("connect to the audit cluster %v: %w", s.o.Brokers, err)
	}
	defer client.Close()

	r := newReplica(s.o.Detail, s.o.MaxBytes)
	var open closers
	defer open.close()
	view, err := s.view(r, client, &open)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- view.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	recovered := view.WaitRunning()
	check := time.NewTicker(s.o.CheckEvery)
	defer check.Stop()
	stuck := newLag(s.o.CheckEvery)
	for {
		select {
		case <-recovered:
			recovered = nil
			s.current.Store(r)
			s.health.OK()
			rows, bytes := r.size()
			s.o.Log.Info("view has read the table", "table", view.Topic(), "rows", rows, "bytes", bytes)
		case <-check.C:
			r.sweep()
			r.trim()
			if recovered != nil {
				continue
			}
			behind, err := stuck.measure(client, view.Topic(), r)
			if err != nil {
				return err
			}
			s.metrics.behind.Set(float64(behind))
			s.report(view.CurrentState(), r)
		case err := <-ended:
			ended <- nil // for the deferred wait
			if err == nil {
				err = errEnded
			}
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// report says how the view is, once it has read the table.
func (s *Sources) report(state goka.ViewState, r *replica) {
	switch n := r.unread.Load(); {
	case state != goka.ViewStateRunning:
		s.health.Degraded(fmt.Sprintf("the audit cluster does not answer; recent windows are as of %s", s.AsOf().Format(time.RFC3339)))
	case n > 0:
		s.health.Degraded(fmt.Sprintf("%d entries of table %s are in a format that this program does not know, and recent windows may lack them: update it", n, s.o.Topology.CollectTable()))
	default:
		s.health.OK()
	}
}

// view makes goka's view. goka never closes the clients that it makes, so they
// are noted.
func (s *Sources) view(r *replica, client sarama.Client, open *closers) (*goka.View, error) {
	tm := goka.NewTopicManagerConfig()
	tm.NoCreate = true
	ask := goka.TopicManagerBuilderWithConfig(shards.AskConfig(s.o.Config()), tm)
	view, err := goka.NewView(s.o.Brokers, s.o.Topology.CollectTable(), bytesCodec{},
		goka.WithViewLogger(gokaLog{s.o.Log}),
		goka.WithViewHasher(shards.NewHasher),
		goka.WithViewStorageBuilder(r.build),
		goka.WithViewCallback(r.update),
		goka.WithViewAutoReconnect(),
		goka.WithViewBackoffBuilder(func() (goka.Backoff, error) { return goka.NewSimpleBackoff(time.Second, 10*time.Second), nil }),
		goka.WithViewConsumerSaramaBuilder(func(brokers []string, clientID string) (sarama.Consumer, error) {
			config := shards.ShareFetch(shards.TableConfig(s.o.Config()), s.o.FetchBytes, len(client.Brokers()))
			c, err := goka.SaramaConsumerBuilderWithConfig(config)(brokers, clientID)
			if err == nil {
				open.add(c.Close)
			}
			return c, err
		}),
		goka.WithViewTopicManagerBuilder(func(brokers []string) (goka.TopicManager, error) {
			m, err := ask(brokers)
			if err == nil {
				open.add(m.Close)
			}
			return m, err
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("goka: %w", err)
	}
	return view, nil
}

// closers are to be closed; some have been already, which is no harm.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c *closers) close() {
	for _, f := range *c {
		_ = f()
	}
}

// lag watches how far the stores are behind the table. goka ends the following
// of a partition in silence when its offset is out of the log's range, which
// happens when the table topic is made anew.
type lag struct {
	patience int // checks without a move, while there is something to read
	at       map[int32]int64
	still    map[int32]int
}

func newLag(every time.Duration) *lag {
	return &lag{patience: max(3, int(time.Minute/every)), at: map[int32]int64{}, still: map[int32]int{}}
}

// measure gives the entries not yet read, 0 for a partition whose end is not
// known. An error says that the view does not follow any more.
func (l *lag) measure(client sarama.Client, topic string, r *replica) (behind int64, err error) {
	for i, s := range r.partitions() {
		p := int32(i)
		next, _ := s.GetOffset(-1) // cannot fail
		next++
		end, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			continue // the view's state tells
		}
		if end < next {
			return 0, fmt.Errorf("partition %d of the table ends at offset %d, and has been read up to %d: it was made anew", p, end, next)
		}
		behind += end - next
		if end == next || next != l.at[p] {
			l.still[p] = 0
		} else if l.still[p]++; l.still[p] > l.patience {
			return 0, fmt.Errorf("partition %d of the table does not move on from offset %d, its end is %d", p, next, end)
		}
		l.at[p] = next
	}
	return behind, nil
}
