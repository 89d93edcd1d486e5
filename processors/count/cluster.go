package count

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors/logs"
	"github.com/chaperone-audit/chaperone/processors/logs/inplace"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// A Cluster is a Kafka cluster whose topics are counted. All that is asked of
// it is to describe and read topics, and to commit offsets for display.
type Cluster struct {
	Name       string // of letters, digits, '.', '_' and '-': it is part of keys
	Tier       string
	Datacenter string
	Brokers    []string
	Config     func() *sarama.Config // fresh each time: version, TLS, SASL, client id
	// InPlace makes the options of a franz-go client, with which topics are read in
	// place; if nil, sarama reads them.
	InPlace func() ([]kgo.Opt, error)
	// Audited says whether a topic is to be counted, by its name on the cluster.
	Audited func(topic string) bool
	// Logical gives the name under which records speak of a topic, where replication
	// has given it another one on this cluster; nil if none is renamed. Only records
	// know it: what is read, stored and logged goes by the name on the cluster.
	Logical func(topic string) string
}

// logical is the name of a topic in records.
func (c *Cluster) logical(topic string) string {
	if c.Logical == nil {
		return topic
	}
	return c.Logical(topic)
}

// cluster is a Cluster with its connections, made when they are first needed
// and again when they fail. Safe for concurrent use.
type cluster struct {
	Cluster
	health     *health.Part
	log        *slog.Logger
	fetchBytes int // of all brokers together; 0 for the default

	// Connecting may take as long as timeouts do. Each lock is held meanwhile, so
	// there are two, and who only wants the reader that is there takes none.
	asking  sync.Mutex
	ask     sarama.Client
	making  sync.Mutex
	readers [2]atomic.Pointer[logs.Reader] // that of all sources, and sarama's for those that it finds too old
	// What progress has under way; a round that finds it so leaves it at that.
	endsAsked, highAsked, displaying atomic.Bool
	policies                         policies
}

// client is for questions about metadata and offsets.
func (c *cluster) client() (sarama.Client, error) {
	c.asking.Lock()
	defer c.asking.Unlock()
	if c.ask != nil && !c.ask.Closed() {
		return c.ask, nil
	}
	client, err := sarama.NewClient(c.Brokers, shards.AskConfig(c.Config()))
	if err != nil {
		return nil, fmt.Errorf("cluster %s: connect to %v: %w", c.Name, c.Brokers, err)
	}
	c.ask = client
	return client, nil
}

// reader is that of the cluster's sources, or of those that are too old for it.
func (c *cluster) reader(old bool) (logs.Reader, error) {
	c.making.Lock()
	defer c.making.Unlock()
	place := &c.readers[0]
	if old && c.InPlace != nil {
		place = &c.readers[1]
	}
	if r := place.Load(); r != nil {
		return *r, nil
	}
	r, err := c.newReader(old)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	place.Store(&r)
	return r, nil
}

func (c *cluster) newReader(old bool) (logs.Reader, error) {
	if old || c.InPlace == nil {
		return c.newSarama()
	}
	client, err := c.InPlace()
	if err != nil {
		return nil, err
	}
	return inplace.New(inplace.Options{Client: client, FetchBytes: c.fetchBytes})
}

// newSarama shares what may be fetched at once among the brokers.
func (c *cluster) newSarama() (logs.Reader, error) {
	config := shards.SourceConfig(c.Config())
	brokers := 0
	if c.fetchBytes > 0 {
		client, err := c.client()
		if err != nil {
			return nil, err
		}
		brokers = max(1, len(client.Brokers()))
		shards.ShareFetch(config, c.fetchBytes, brokers)
	}
	r, err := logs.NewSarama(c.Brokers, config)
	if err != nil {
		return nil, err
	}
	if brokers > 0 {
		r.Hold(brokers) // as much again as is on its way
	}
	return r, nil
}

func (c *cluster) close() {
	for i := range c.readers {
		if r := c.readers[i].Load(); r != nil {
			if err := (*r).Shutdown(context.Background()); err != nil {
				c.log.Debug("close", "cluster", c.Name, "err", err)
			}
		}
	}
	c.asking.Lock()
	defer c.asking.Unlock()
	if c.ask != nil {
		_ = c.ask.Close()
	}
}

// A listedTopic is a topic as metadata shows it.
type listedTopic struct {
	Logical    string // its name in records
	ID         audit.TopicID
	Partitions int32
	Compacted  bool // as far as it may be known
	// Unsure says that the broker named the topic but could not describe it now.
	Unsure bool
}

// broker is one that can be asked what any broker knows.
func (c *cluster) broker() (sarama.Client, *sarama.Broker, error) {
	client, err := c.client()
	if err != nil {
		return nil, nil, err
	}
	b := client.LeastLoadedBroker()
	if b == nil {
		_ = client.Close() // so that the next question connects anew
		return nil, nil, fmt.Errorf("cluster %s: no broker of %v can be reached: %w", c.Name, c.Brokers, sarama.ErrOutOfBrokers)
	}
	if err := b.Open(client.Config()); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
		return nil, nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	return client, b, nil
}

// list asks for all topics; the map holds those that are audited. all is how
// many the broker named at all: none is no proof that there is none, since a
// client that may describe nothing is shown nothing.
func (c *cluster) list() (topics map[string]listedTopic, all int, err error) {
	client, b, err := c.broker()
	if err != nil {
		return nil, 0, err
	}
	r, err := b.GetMetadata(sarama.NewMetadataRequest(client.Config().Version, nil))
	if err != nil {
		_ = b.Close() // a dead connection is opened anew
		return nil, 0, fmt.Errorf("cluster %s: ask %s for metadata: %w", c.Name, b.Addr(), err)
	}
	topics = map[string]listedTopic{}
	for _, t := range r.Topics {
		if t.IsInternal || !c.Audited(t.Name) {
			continue
		}
		topics[t.Name] = listedTopic{Logical: c.logical(t.Name), ID: audit.TopicID(t.Uuid), Partitions: int32(len(t.Partitions)), Unsure: t.Err != sarama.ErrNoError}
	}
	if err := c.policies.note(b, client.Config().Version, topics); err != nil {
		c.log.Debug("settings of topics not known", "cluster", c.Name, "err", err)
	}
	return topics, len(r.Topics), nil
}

// Special times for offsets.
const (
	atStart  = sarama.OffsetOldest
	atStable = sarama.OffsetNewest // with read committed: the last stable offset
	atHigh   = sarama.OffsetNewest // with read uncommitted: the high watermark
)

// offsets asks for the offsets of many partitions at one time, in one request
// to each leader: atStart, atStable or Unix milliseconds. Partitions whose
// question failed are left out; the error is that of the last one that failed.
func (c *cluster) offsets(sources []audit.Source, at int64, level sarama.IsolationLevel) (map[audit.Source]int64, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	var failed error
	requests := map[*sarama.Broker]*sarama.OffsetRequest{}
	asked := map[*sarama.Broker][]audit.Source{}
	for _, s := range sources {
		leader, err := client.Leader(s.Topic, s.Partition)
		if err != nil {
			failed = fmt.Errorf("leader of %s: %w", s, err)
			continue
		}
		req := requests[leader]
		if req == nil {
			req = sarama.NewOffsetRequest(client.Config().Version)
			req.IsolationLevel = level
			requests[leader] = req
		}
		req.AddBlock(s.Topic, s.Partition, at, 1)
		asked[leader] = append(asked[leader], s)
	}
	found := make(map[audit.Source]int64, len(sources))
	moved := map[string]bool{}
	for leader, req := range requests {
		resp, err := leader.GetAvailableOffsets(req)
		if err != nil {
			_ = leader.Close() // opened anew by the next question
			failed = fmt.Errorf("cluster %s: ask %s for offsets: %w", c.Name, leader.Addr(), err)
			continue
		}
		for _, s := range asked[leader] {
			b := resp.GetBlock(s.Topic, s.Partition)
			switch {
			case b == nil:
				failed = fmt.Errorf("offset of %s: no answer", s)
			case b.Err != sarama.ErrNoError:
				failed = fmt.Errorf("offset of %s: %w", s, b.Err)
				moved[s.Topic] = true
			default:
				found[s] = b.Offset
			}
		}
	}
	for topic := range moved {
		_ = client.RefreshMetadata(topic)
	}
	return found, failed
}

// edges are the ends of a log: its first offset and the one after its last.
type edges struct{ start, end int64 }

// edges asks for the ends of many logs.
func (c *cluster) edges(sources []audit.Source) (map[audit.Source]edges, error) {
	ends, err := c.offsets(sources, sarama.OffsetNewest, sarama.ReadUncommitted)
	if err != nil && len(ends) == 0 {
		return nil, err
	}
	// The start after the end: a log that is deleted from meanwhile then shows a
	// start that is too high, and never a start above the end.
	starts, err2 := c.offsets(sources, atStart, sarama.ReadUncommitted)
	both := make(map[audit.Source]edges, len(ends))
	for s, end := range ends {
		if start, ok := starts[s]; ok {
			both[s] = edges{start, max(start, end)}
		}
	}
	return both, errors.Join(err, err2)
}

// commit commits offsets for display under the name of a group that has no
// members, so that lag tools show how far counting is.
func (c *cluster) commit(group string, next map[audit.Source]int64) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	b, err := client.Coordinator(group)
	if err != nil {
		return fmt.Errorf("cluster %s: coordinator of group %s: %w", c.Name, group, err)
	}
	req := &sarama.OffsetCommitRequest{Version: 2, ConsumerGroup: group, ConsumerGroupGeneration: sarama.GroupGenerationUndefined, RetentionTime: -1}
	for s, n := range next {
		req.AddBlock(s.Topic, s.Partition, n, 0, "")
	}
	resp, err := b.CommitOffset(req)
	if err != nil {
		_ = b.Close()
		_ = client.RefreshCoordinator(group)
		return fmt.Errorf("cluster %s: commit offsets of group %s: %w", c.Name, group, err)
	}
	for topic, partitions := range resp.Errors {
		for p, e := range partitions {
			if e != sarama.ErrNoError {
				_ = client.RefreshCoordinator(group)
				return fmt.Errorf("cluster %s: commit offset of %s/%d in group %s: %w", c.Name, topic, p, group, e)
			}
		}
	}
	return nil
}

// retryAfter is the pause before a question to a cluster is asked again.
const retryAfter = time.Second
