package config

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Franz makes options of a franz-go client with that id, for the same connection
// as Sarama makes. It asks brokers what they speak, up to the version that is set.
func (k Kafka) Franz(clientID string) ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(k.Brokers...), kgo.ClientID(clientID)}
	if k.Version != "" {
		if v := kversion.FromString(k.Version); v != nil { // nil: later than franz-go knows
			opts = append(opts, kgo.MaxVersions(v))
		}
	}
	encrypted, err := k.TLS.client()
	if err != nil {
		return nil, err
	}
	if encrypted != nil {
		opts = append(opts, kgo.DialTLSConfig(encrypted))
	}
	if k.SASL.Mechanism == "" {
		return opts, nil
	}
	auth, err := k.SASL.franz()
	if err != nil {
		return nil, err
	}
	return append(opts, auth), nil
}

// franz reads the password for each connection, so that a new one is taken up.
func (s SASL) franz() (kgo.Opt, error) {
	if _, err := s.password(); err != nil {
		return nil, err
	}
	secret := func(context.Context) (scram.Auth, error) {
		password, err := s.password()
		return scram.Auth{User: s.User, Pass: password}, err
	}
	switch s.Mechanism {
	case Plain:
		return kgo.SASL(plain.Plain(func(ctx context.Context) (plain.Auth, error) {
			a, err := secret(ctx)
			return plain.Auth{User: a.User, Pass: a.Pass}, err
		})), nil
	case ScramSHA256:
		return kgo.SASL(scram.Sha256(secret)), nil
	case ScramSHA512:
		return kgo.SASL(scram.Sha512(secret)), nil
	}
	return nil, fmt.Errorf("sasl.mechanism: %q must be %s, %s or %s", s.Mechanism, Plain, ScramSHA256, ScramSHA512)
}
