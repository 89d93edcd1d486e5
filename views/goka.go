package views

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// bytesCodec hands values on as they are. Nothing is read through the view.
type bytesCodec struct{}

func (bytesCodec) Encode(v any) ([]byte, error) { return v.([]byte), nil }
func (bytesCodec) Decode(b []byte) (any, error) { return b, nil }

// gokaLog sends goka's chatter to our log, as debug messages.
type gokaLog struct{ l *slog.Logger }

func (g gokaLog) Print(a ...any)            { g.l.Debug(fmt.Sprint(a...)) }
func (g gokaLog) Println(a ...any)          { g.l.Debug(fmt.Sprintln(a...)) }
func (g gokaLog) Printf(f string, a ...any) { g.l.Debug(fmt.Sprintf(f, a...)) }

// view makes goka's view. goka never closes the clients that it makes, so they
// are noted.
func (f *follower) view(r *replica, client sarama.Client, open *closers) (*goka.View, error) {
	tm := goka.NewTopicManagerConfig()
	tm.NoCreate = true
	ask := goka.TopicManagerBuilderWithConfig(shards.AskConfig(f.o.Config()), tm)
	view, err := goka.NewView(f.o.Brokers, f.table, bytesCodec{},
		goka.WithViewLogger(gokaLog{f.o.Log}),
		goka.WithViewHasher(shards.NewHasher),
		goka.WithViewStorageBuilder(r.build),
		goka.WithViewCallback(r.update),
		goka.WithViewAutoReconnect(),
		goka.WithViewBackoffBuilder(func() (goka.Backoff, error) { return goka.NewSimpleBackoff(time.Second, 10*time.Second), nil }),
		goka.WithViewConsumerSaramaBuilder(func(brokers []string, clientID string) (sarama.Consumer, error) {
			config := shards.ShareFetch(shards.TableConfig(f.o.Config()), f.o.FetchBytes, len(client.Brokers()))
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
