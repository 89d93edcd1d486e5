package shards_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

func TestWhatTimeHealsIsToldFromWhatIsWrong(t *testing.T) {
	timeout := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		err   error
		heals bool
	}{
		{sarama.ErrOutOfBrokers, true},
		{fmt.Errorf("create topic x: %w (by hand)", timeout), true},
		{fmt.Errorf("create topic x: %w", io.EOF), true},
		{&sarama.TopicError{Err: sarama.ErrNotController}, true},
		{fmt.Errorf("create topic x: %w", &sarama.TopicError{Err: sarama.ErrInvalidReplicationFactor}), true},
		{fmt.Errorf("create topic x: %w", &sarama.TopicError{Err: sarama.ErrTopicAuthorizationFailed}), false},
		{fmt.Errorf("create topic x: %w", &sarama.TopicError{Err: sarama.ErrPolicyViolation}), false},
		{fmt.Errorf("create topic x: %w", sarama.PacketDecodingError{Info: "correlation ID didn't match, wanted 2, got 1"}), true},
		{sarama.PacketDecodingError{Info: "message of length 1213486160 too large or too small"}, false}, // no Kafka
		{sarama.ErrSASLAuthenticationFailed, false},
		{errors.New("topic x has 3 partitions, configured are 4"), false},
	} {
		if got := shards.Heals(c.err); got != c.heals {
			t.Errorf("%v: heals %t, want %t", c.err, got, c.heals)
		}
	}
}
