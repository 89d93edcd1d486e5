package kafka

import (
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// keepAutoCreated makes the topics that a metadata request may create before
// kfake does. kfake would neither write them to the list of topics, so that a
// kill would lose them with their records, nor check their names, nor tell the
// groups that subscribe by pattern.
func keepAutoCreated(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.Metadata), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req := kreq.(*kmsg.MetadataRequest)
		// Before version 4 the field does not exist, and means yes.
		if !req.AllowAutoTopicCreation && req.Version >= 4 {
			return nil, nil, false
		}
		for _, t := range req.Topics {
			if t.Topic == nil || *t.Topic == "" || c.TopicInfo(*t.Topic) != nil {
				continue
			}
			if c.CreateTopic(*t.Topic, 0, nil) != nil {
				req.AllowAutoTopicCreation = false // a bad name: kfake must not make it either
			}
		}
		return nil, nil, false
	})
}
