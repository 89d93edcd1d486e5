package kafkatest

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SetTopicConfig changes settings of a topic and leaves the others; an empty
// value puts the default back. Brokers follow within moments.
func (c *Cluster) SetTopicConfig(ctx context.Context, topic string, configs map[string]string) error {
	if err := c.alterConfigs(ctx, kmsg.ConfigResourceTypeTopic, topic, configs); err != nil {
		return fmt.Errorf("set configs of topic %s: %w", topic, err)
	}
	return nil
}

func (c *Cluster) alterConfigs(ctx context.Context, kind kmsg.ConfigResourceType, name string, configs map[string]string) error {
	client, err := c.admin()
	if err != nil {
		return err
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kind, name
	for k, v := range configs {
		rc := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		rc.Name, rc.Op, rc.Value = k, kmsg.IncrementalAlterConfigOpSet, &v
		if v == "" {
			rc.Op, rc.Value = kmsg.IncrementalAlterConfigOpDelete, nil
		}
		res.Configs = append(res.Configs, rc)
	}
	req.Resources = append(req.Resources, res)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.Resources[0].ErrorCode); err != nil {
		return fmt.Errorf("%w: %s", err, deref(resp.Resources[0].ErrorMessage))
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// topicConfig is a setting that a topic has of its own, empty if it has none.
func (c *Cluster) topicConfig(ctx context.Context, topic, name string) (string, error) {
	client, err := c.admin()
	if err != nil {
		return "", fmt.Errorf("ask for %s of topic %s: %w", name, topic, err)
	}
	req := kmsg.NewPtrDescribeConfigsRequest()
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName, res.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{name}
	req.Resources = append(req.Resources, res)
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Resources[0].ErrorCode)
	}
	if err != nil {
		return "", fmt.Errorf("ask for %s of topic %s: %w", name, topic, err)
	}
	for _, rc := range resp.Resources[0].Configs {
		if rc.Source == kmsg.ConfigSourceDynamicTopicConfig && rc.Value != nil {
			return *rc.Value, nil
		}
	}
	return "", nil
}
