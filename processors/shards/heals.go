package shards

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/IBM/sarama"
)

// healing are the answers of brokers that time heals: one of them is being
// started, stopped or elected.
var healing = []sarama.KError{
	sarama.ErrUnknown, sarama.ErrLeaderNotAvailable, sarama.ErrNotLeaderForPartition, sarama.ErrRequestTimedOut, sarama.ErrBrokerNotAvailable,
	sarama.ErrReplicaNotAvailable, sarama.ErrNetworkException, sarama.ErrOffsetsLoadInProgress, sarama.ErrConsumerCoordinatorNotAvailable,
	sarama.ErrNotCoordinatorForConsumer, sarama.ErrNotController, sarama.ErrInvalidReplicationFactor, // not enough brokers are there yet
}

// Heals says whether asking a cluster again may help: a broker is away, hangs or
// is being started. What the configuration has wrong does not heal.
func Heals(err error) bool {
	var network net.Error
	var answer sarama.KError
	var garbled sarama.PacketDecodingError
	switch {
	case errors.Is(err, sarama.ErrOutOfBrokers), errors.Is(err, sarama.ErrNotConnected), errors.Is(err, sarama.ErrClosedClient), errors.Is(err, sarama.ErrControllerNotAvailable):
		return true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
		return true
	case errors.As(err, &garbled): // the answer to a question that was given up; sarama connects anew
		return strings.Contains(garbled.Info, "correlation ID")
	case errors.As(err, &answer):
		return slices.Contains(healing, answer)
	}
	return false
}
