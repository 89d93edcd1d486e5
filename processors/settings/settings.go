// Package settings keeps the few decisions that all instances of a deployment
// must share and that are made while it runs: where counting of a cluster
// started, and which topics were added by hand.
//
// They lie on a compacted topic of one partition whose record timestamps are
// the broker's. Every instance reads it from its beginning. Of decisions that
// may be made only once the first in the log holds, whoever wrote it.
package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/google/uuid"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Start says how the counting of a cluster started, for a policy that is
// about a moment: what existed then is counted from that moment, what came
// later from its beginning.
type Start struct {
	Time time.Time `json:"-"` // when the broker appended the decision
	// Topics are those that existed, with their numbers of partitions.
	Topics map[string]int32 `json:"topics"` // by audit.TopicID.String
}

// Existed says whether a partition existed when counting started.
func (s *Start) Existed(src audit.Source) bool { return src.Partition < s.Topics[src.TopicID.String()] }

// Settings follows the topic. Make one with Open; its methods may be called
// from any goroutine.
type Settings struct {
	topic    string
	producer sarama.SyncProducer
	consumer sarama.Consumer
	log      *slog.Logger

	mu      sync.Mutex
	starts  map[string]*Start
	added   map[string]bool
	read    int64         // next offset to read
	changed chan struct{} // closed at each change, and replaced
	quit    chan struct{}
	done    chan struct{}
}

// Open connects, begins to follow, and returns once all there is has been read.
// ask and write are configurations for reading and for writing.
func Open(ctx context.Context, brokers []string, topic string, read, write *sarama.Config, log *slog.Logger) (*Settings, error) {
	s := &Settings{topic: topic, log: log, starts: map[string]*Start{}, added: map[string]bool{},
		changed: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{})}
	write.Producer.Partitioner = sarama.NewManualPartitioner // there is one partition
	var err error
	if s.producer, err = sarama.NewSyncProducer(brokers, write); err != nil {
		return nil, fmt.Errorf("settings: connect to the audit cluster %v: %w", brokers, err)
	}
	client, err := sarama.NewClient(brokers, read)
	if err != nil {
		_ = s.producer.Close()
		return nil, fmt.Errorf("settings: connect to the audit cluster %v: %w", brokers, err)
	}
	defer client.Close()
	if s.consumer, err = sarama.NewConsumer(brokers, read); err != nil {
		_ = s.producer.Close()
		return nil, fmt.Errorf("settings: connect to the audit cluster %v: %w", brokers, err)
	}
	end, err := client.GetOffset(topic, 0, sarama.OffsetNewest)
	if err == nil {
		var pc sarama.PartitionConsumer
		if pc, err = s.consumer.ConsumePartition(topic, 0, sarama.OffsetOldest); err == nil {
			go s.follow(pc)
			err = s.await(ctx, func() bool { return s.read >= end })
		}
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("settings: read %s: %w", topic, err)
	}
	return s, nil
}

// Close ends following.
func (s *Settings) Close() {
	select {
	case <-s.quit:
		return
	default:
	}
	close(s.quit)
	_ = s.consumer.Close()
	_ = s.producer.Close()
}

// Keys begin with what they are about.
const (
	startPrefix = "start/" // cluster "/" a UUID of the writer: all proposals stay, the first holds
	topicPrefix = "topic/" // name
)

func (s *Settings) follow(pc sarama.PartitionConsumer) {
	defer close(s.done)
	for {
		select {
		case <-s.quit:
			pc.AsyncClose()
			return
		case err := <-pc.Errors():
			if err != nil {
				s.log.Warn("settings: reading goes on", "err", err.Err)
			}
		case m, ok := <-pc.Messages():
			if !ok {
				return
			}
			s.apply(m)
		}
	}
}

func (s *Settings) apply(m *sarama.ConsumerMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read = m.Offset + 1
	switch key := string(m.Key); {
	case strings.HasPrefix(key, startPrefix):
		cluster, _, _ := strings.Cut(key[len(startPrefix):], "/")
		if s.starts[cluster] == nil && m.Value != nil {
			st := &Start{Time: m.Timestamp}
			if err := json.Unmarshal(m.Value, st); err != nil {
				s.log.Error("settings: a start that cannot be read is left aside", "key", key, "err", err)
				break
			}
			s.starts[cluster] = st
		}
	case strings.HasPrefix(key, topicPrefix):
		name := key[len(topicPrefix):]
		s.added[name] = m.Value != nil
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until ok, called under the lock, is true.
func (s *Settings) await(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		done, changed := ok(), s.changed
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-s.done:
			return errors.New("reading ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// StartOf gives how the counting of a cluster started. If that is not decided
// yet it is now, with the listing given, durably: every instance that asks gets
// the same answer for ever.
func (s *Settings) StartOf(ctx context.Context, cluster string, listing map[string]int32) (*Start, error) {
	s.mu.Lock()
	st := s.starts[cluster]
	s.mu.Unlock()
	if st != nil {
		return st, nil
	}
	value, err := json.Marshal(&Start{Topics: listing})
	if err != nil {
		return nil, fmt.Errorf("settings: start of cluster %s: %w", cluster, err)
	}
	if err := s.put(startPrefix+cluster+"/"+uuid.NewString(), value); err != nil {
		return nil, err
	}
	err = s.await(ctx, func() bool { st = s.starts[cluster]; return st != nil })
	if err != nil {
		return nil, fmt.Errorf("settings: start of cluster %s: %w", cluster, err)
	}
	return st, nil
}

// AddTopic makes all instances audit a topic, on all clusters that have it,
// even if no pattern includes it.
func (s *Settings) AddTopic(ctx context.Context, name string) error {
	if err := s.put(topicPrefix+name, []byte(`{}`)); err != nil {
		return err
	}
	return s.await(ctx, func() bool { return s.added[name] })
}

// Topics lists the topics that were added, by name.
func (s *Settings) Topics() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name, on := range s.added {
		if on {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Added says whether a topic was added.
func (s *Settings) Added(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.added[name]
}

func (s *Settings) put(key string, value []byte) error {
	_, _, err := s.producer.SendMessage(&sarama.ProducerMessage{Topic: s.topic, Key: sarama.StringEncoder(key), Value: sarama.ByteEncoder(value)})
	if err != nil {
		return fmt.Errorf("settings: write %s to %s: %w", key, s.topic, err)
	}
	return nil
}
