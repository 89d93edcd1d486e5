package inplace

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// An outcome is what follows for a source from an answer about it.
type outcome uint8

const (
	serve outcome = iota // it is served
	seek                 // its leader has to be looked for, again
	doubt                // ask without the epoch
	lose                 // it is lost
)

// leastVersion is of the fetch requests that hold an epoch against the log.
const leastVersion = 12

// judge says what follows from the answer to a fetch of one partition. The error
// is why, for all but serve.
func judge(n *slot, rp *kmsg.FetchResponseTopicPartition, version int16) (outcome, error) {
	err := kerr.ErrorForCode(rp.ErrorCode)
	switch err {
	case nil:
		switch {
		case version < leastVersion:
			return lose, fmt.Errorf("%w: its broker is older than Kafka 2.7", logs.ErrTooOld)
		case rp.DivergingEpoch.EndOffset >= 0:
			return lose, n.s.seen.cut(rp.DivergingEpoch)
		case n.doubted: // the offset is there, and what lay before it is of an epoch that the log has never had
			return lose, logs.ErrTruncated
		}
		return serve, nil
	case kerr.OffsetOutOfRange:
		switch {
		case n.lead >= 0 && n.want.epoch > n.lead: // who answers is not the leader any more
			return seek, errStale
		case n.want.epoch >= 0 && !n.doubted:
			return doubt, err
		}
		return lose, &logs.OutOfRange{Offset: n.want.next}
	case kerr.TopicAuthorizationFailed:
		return lose, fmt.Errorf("%w: %w", logs.ErrDenied, err)
	case kerr.UnknownTopicOrPartition:
		if n.id == (audit.TopicID{}) { // by name it might go on in another topic made meanwhile
			return lose, fmt.Errorf("%w: %w", logs.ErrGone, err)
		}
	case kerr.CorruptMessage: // the broker cannot read it either
		return lose, &logs.Corrupt{From: n.want.next, Cause: err}
	}
	return seek, err
}

// errStale is of a broker that has not heard of an election, or was deposed and does
// not know it. What it says of the log's end is not true any more.
var errStale = errors.New("the broker that answers knows an older leader than what was read is from")

// A lead is who leads a source, as metadata says it.
type lead struct {
	broker, epoch int32
	id            audit.TopicID
}

// olderThan says whether a place is known to be of a later epoch than this leader's.
// Epochs of one topic only rise; without an id it may be another topic by now.
func (l *lead) olderThan(known int32) bool {
	return l.id != (audit.TopicID{}) && l.epoch >= 0 && l.epoch < known
}

// locate finds a source in the metadata of its topic. ErrDenied is for good.
// ErrGone and ErrRecreated are if they stay: a broker may not have heard yet of
// what is new. Anything else passes.
func locate(src audit.Source, t *kmsg.MetadataResponseTopic) (at lead, err error) {
	if t == nil {
		return at, errors.New("the answer to the question for metadata leaves it out")
	}
	switch err := kerr.ErrorForCode(t.ErrorCode); err {
	case nil, kerr.LeaderNotAvailable, kerr.ListenerNotFound, kerr.ReplicaNotAvailable:
	case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID:
		return at, fmt.Errorf("%w: %w", logs.ErrGone, err)
	case kerr.TopicAuthorizationFailed:
		return at, fmt.Errorf("%w: %w", logs.ErrDenied, err)
	default:
		return at, err
	}
	at.id = t.TopicID
	none := audit.TopicID{}
	if at.id != none && src.TopicID != none && at.id != src.TopicID {
		return at, fmt.Errorf("%w: its id is %s now", logs.ErrRecreated, at.id)
	}
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if p.Partition != src.Partition {
			continue
		}
		if p.Leader < 0 {
			return at, fmt.Errorf("it has no leader: %w", kerr.LeaderNotAvailable)
		}
		at.broker, at.epoch = p.Leader, p.LeaderEpoch
		return at, nil
	}
	return at, fmt.Errorf("%w: the topic has %d partitions", logs.ErrGone, len(t.Partitions))
}
