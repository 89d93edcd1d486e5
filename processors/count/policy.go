package count

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// policies knows which topics of a cluster are compacted. What is read of such a
// topic depends on when, so two who count it may be right and differ, and no sum
// can be held against another: see audit.Progress. Safe for concurrent use.
type policies struct {
	mu        sync.Mutex
	asked     time.Time
	compacted map[audit.TopicID]bool // also of topics that may not be described: then false
	fresh     map[audit.TopicID]bool // those asked for since; the others' answers hold until there are new ones
}

// policiesEvery is how often the policies of known topics are asked for again;
// mostTopics is how many are asked for at once.
const (
	policiesEvery = 10 * time.Minute
	mostTopics    = 1000
)

// note marks the topics that are compacted, asking a broker for those that are
// not known. It is a favour that the cluster may refuse.
func (p *policies) note(b *sarama.Broker, version sarama.KafkaVersion, topics map[string]listedTopic) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.asked) > policiesEvery {
		p.asked, p.fresh = time.Now(), map[audit.TopicID]bool{}
		if p.compacted == nil {
			p.compacted = map[audit.TopicID]bool{}
		}
	}
	var unknown []string
	for name, t := range topics {
		if !p.fresh[t.ID] && !t.Unsure {
			unknown = append(unknown, name)
		}
	}
	var failed error
	for names := range slices.Chunk(unknown, mostTopics) {
		if failed = p.ask(b, version, names, topics); failed != nil {
			break
		}
	}
	for name, t := range topics {
		t.Compacted = p.compacted[t.ID]
		topics[name] = t
	}
	return failed
}

func (p *policies) ask(b *sarama.Broker, version sarama.KafkaVersion, names []string, topics map[string]listedTopic) error {
	req := &sarama.DescribeConfigsRequest{}
	if version.IsAtLeast(sarama.V1_1_0_0) {
		req.Version = 1
	}
	for _, name := range names {
		req.Resources = append(req.Resources, &sarama.ConfigResource{Type: sarama.TopicResource, Name: name, ConfigNames: []string{cleanupPolicy}})
	}
	resp, err := b.DescribeConfigs(req)
	if err != nil {
		_ = b.Close() // a dead connection is opened anew
		return fmt.Errorf("ask %s for settings of topics: %w", b.Addr(), err)
	}
	for _, r := range resp.Resources {
		if e := sarama.KError(r.ErrorCode); e != sarama.ErrNoError && e != sarama.ErrTopicAuthorizationFailed && e != sarama.ErrClusterAuthorizationFailed {
			continue // no answer: it is asked for again
		}
		id := topics[r.Name].ID
		p.fresh[id], p.compacted[id] = true, false
		for _, e := range r.Configs {
			if e.Name == cleanupPolicy {
				p.compacted[id] = strings.Contains(e.Value, "compact")
			}
		}
	}
	return nil
}

const cleanupPolicy = "cleanup.policy"
