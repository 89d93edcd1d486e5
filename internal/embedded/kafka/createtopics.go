package kafka

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answerCreateTopics answers requests that create topics with settings. kfake
// does not say where the settings in its answer come from, and Java clients,
// kafka-topics among them, fail on that after the topic is there. Requests
// without settings, and rare ones, are left to kfake.
func answerCreateTopics(c *kfake.Cluster, brokers int) {
	c.ControlKey(int16(kmsg.CreateTopics), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req := kreq.(*kmsg.CreateTopicsRequest)
		if !answerable(req) {
			return nil, nil, false
		}
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		for i := range req.Topics {
			resp.Topics = append(resp.Topics, createTopic(c, &req.Topics[i], brokers))
		}
		return resp, nil, true
	})
}

func answerable(req *kmsg.CreateTopicsRequest) bool {
	settings := false
	names := map[string]bool{}
	for _, t := range req.Topics {
		if len(t.ReplicaAssignment) > 0 || names[t.Topic] {
			return false
		}
		names[t.Topic] = true
		settings = settings || len(t.Configs) > 0
	}
	return settings && !req.ValidateOnly
}

// createTopic makes one topic. With several brokers it gets as many replicas as
// kfake gives by default, since replicas there are only for show.
func createTopic(c *kfake.Cluster, t *kmsg.CreateTopicsRequestTopic, brokers int) kmsg.CreateTopicsResponseTopic {
	resp := kmsg.NewCreateTopicsResponseTopic()
	resp.Topic = t.Topic
	var err error
	configs := map[string]string{}
	for _, rc := range t.Configs {
		if rc.Value == nil {
			err = kerr.InvalidConfig
			continue
		}
		configs[rc.Name] = *rc.Value
	}
	switch {
	case t.NumPartitions == 0 || t.NumPartitions < -1:
		err = kerr.InvalidPartitions
	case t.ReplicationFactor == 0 || t.ReplicationFactor < -1 || int(t.ReplicationFactor) > brokers:
		err = kerr.InvalidReplicationFactor
	}
	if err == nil {
		err = c.CreateTopic(t.Topic, t.NumPartitions, configs)
	}
	if err != nil {
		resp.ErrorCode = kerr.UnknownServerError.Code
		message := err.Error()
		var ke *kerr.Error
		if errors.As(err, &ke) {
			resp.ErrorCode, message = ke.Code, ke.Description
		}
		resp.ErrorMessage = &message
		return resp
	}
	if info := c.TopicInfo(t.Topic); info != nil {
		resp.TopicID = info.TopicID
		resp.ReplicationFactor = int16(info.NumReplicas)
	}
	resp.NumPartitions = int32(len(c.PartitionInfos(t.Topic)))
	for _, rc := range t.Configs {
		cfg := kmsg.NewCreateTopicsResponseTopicConfig()
		cfg.Name, cfg.Value, cfg.Source = rc.Name, rc.Value, int8(kmsg.ConfigSourceDynamicTopicConfig)
		resp.Configs = append(resp.Configs, cfg)
	}
	return resp
}
