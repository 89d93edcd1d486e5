package kafka

import (
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answerOffsetFetch tells who asks for the offsets of a group that nobody has
// used yet that there are none, as Apache Kafka does. kfake says that there is
// no such group, and sarama's offset manager gives up on that. Requests about
// several groups are left to kfake.
func answerOffsetFetch(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.OffsetFetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req := kreq.(*kmsg.OffsetFetchRequest)
		group := req.Group // up to version 7
		if len(req.Groups) == 1 {
			group = req.Groups[0].Group
		}
		switch {
		case len(req.Groups) > 1 || group == "" || c.GroupInfo(group) != nil:
			return nil, nil, false
		case c.CoordinatorFor(group) != c.CurrentNode():
			return nil, nil, false // kfake says who is
		}
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewOffsetFetchResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetFetchResponseTopicPartition()
				rp.Partition, rp.Offset, rp.LeaderEpoch = p, -1, -1
				rp.Metadata = new(string)
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		for _, g := range req.Groups {
			rg := kmsg.NewOffsetFetchResponseGroup()
			rg.Group = g.Group
			for _, t := range g.Topics {
				rt := kmsg.NewOffsetFetchResponseGroupTopic()
				rt.Topic, rt.TopicID = t.Topic, t.TopicID
				for _, p := range t.Partitions {
					rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
					rp.Partition, rp.Offset, rp.LeaderEpoch = p, -1, -1
					rp.Metadata = new(string)
					rt.Partitions = append(rt.Partitions, rp)
				}
				rg.Topics = append(rg.Topics, rt)
			}
			resp.Groups = append(resp.Groups, rg)
		}
		return resp, nil, true
	})
}
