package config

import (
	"fmt"
	"strings"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
)

// Sarama makes a new configuration of a client with that id: what is set here is
// version, TLS and SASL, the rest is sarama's default. Every client needs one of
// its own, because those who are given one change it.
func (k Kafka) Sarama(clientID string) (*sarama.Config, error) {
	c := sarama.NewConfig()
	c.ClientID = clientID
	// Topic ids came with 2.8.
	c.Version = sarama.V2_8_0_0
	if k.Version != "" {
		v, err := parseVersion(k.Version)
		if err != nil {
			return nil, fmt.Errorf("version: %w", err)
		}
		c.Version = v
	}
	encrypted, err := k.TLS.client()
	if err != nil {
		return nil, err
	}
	c.Net.TLS.Enable, c.Net.TLS.Config = encrypted != nil, encrypted
	if err := k.SASL.apply(c); err != nil {
		return nil, err
	}
	return c, c.Validate()
}

// parseVersion reads 3.6.0, and 3.6 as the same.
func parseVersion(text string) (sarama.KafkaVersion, error) {
	if strings.Count(text, ".") == 1 {
		text += ".0"
	}
	return sarama.ParseKafkaVersion(text)
}

// Sarama is that of Kafka with the group's timeouts as well.
func (a Audit) Sarama(clientID string) (*sarama.Config, error) {
	c, err := a.Kafka.Sarama(clientID)
	if err != nil {
		return nil, err
	}
	c.Consumer.Group.Session.Timeout = a.SessionTimeout
	c.Consumer.Group.Heartbeat.Interval = a.SessionTimeout / 6
	return c, c.Validate()
}

func (s SASL) apply(c *sarama.Config) error {
	if s.Mechanism == "" {
		return nil
	}
	password, err := s.password()
	if err != nil {
		return err
	}
	c.Net.SASL.Enable = true
	c.Net.SASL.Mechanism = sarama.SASLMechanism(s.Mechanism)
	c.Net.SASL.User, c.Net.SASL.Password = s.User, password
	switch s.Mechanism {
	case Plain:
	case ScramSHA256:
		c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA256} }
	case ScramSHA512:
		c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: scram.SHA512} }
	default:
		return fmt.Errorf("sasl.mechanism: %q must be %s, %s or %s", s.Mechanism, Plain, ScramSHA256, ScramSHA512)
	}
	return nil
}

// scramClient is one conversation, in the form that sarama wants.
type scramClient struct {
	hash scram.HashGeneratorFcn
	conv *scram.ClientConversation
}

func (s *scramClient) Begin(user, password, authzID string) error {
	c, err := s.hash.NewClient(user, password, authzID)
	if err != nil {
		return err
	}
	s.conv = c.NewConversation()
	return nil
}

func (s *scramClient) Step(challenge string) (string, error) { return s.conv.Step(challenge) }
func (s *scramClient) Done() bool                            { return s.conv.Done() }
