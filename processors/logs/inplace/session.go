package inplace

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/audit"
)

// A session is a fetch session (KIP-227): the broker remembers what is read, and
// both sides say only what has changed. So thousands of idle sources cost next to
// nothing. One request is under way at a time. A broker that has no room for
// sessions gets everything in each request.
type session struct {
	id, epoch int32 // epoch 0: the next request tells everything, and begins a session
	named     bool  // the last answer named topics instead of giving their ids
	slots     map[slotKey]*slot
	changed   []*slot // to be told in the next request; may have some that were dropped
	forget    map[slotKey]*slot
	fresh     []*slot // told, and not spoken of in any answer yet
	nameless  int     // slots without a topic id: while there are any, requests give names
	byNames   bool    // ... as those of the session do
	anew      bool    // the next request begins another session
}

// idsFrom is the version of fetch requests from which on they give topics by id.
const idsFrom = 13

// A slotKey is a partition as a response names it: by topic id from idsFrom on, by
// name before.
type slotKey struct {
	id        audit.TopicID
	name      string
	partition int32
}

// A slot is a source in a session.
type slot struct {
	s     *source
	id    audit.TopicID
	lead  int32 // leader epoch, as metadata says it
	want  place // what is to be asked for next
	asked int64 // the offset that the request under way asks for; -1: it does not
	// doubted says that the epoch was left out of the question, to find out
	// whether it is the reason for an answer that the offset is out of range.
	doubted bool
	// answered says that an answer has spoken of it.
	answered bool

	queued, dropped bool
}

func newSession() session {
	return session{slots: map[slotKey]*slot{}, forget: map[slotKey]*slot{}}
}

// key is the slot's own; byName is the one it is found by as well in answers of
// old versions.
func (n *slot) key() slotKey {
	if n.id == (audit.TopicID{}) {
		return n.byName()
	}
	return slotKey{id: n.id, partition: n.s.Partition}
}

func (n *slot) byName() slotKey { return slotKey{name: n.s.Topic, partition: n.s.Partition} }

// add reads a source from a place on.
func (x *session) add(s *source, id audit.TopicID, lead int32, from place) *slot {
	n := &slot{s: s, id: id, lead: lead, want: from, asked: -1}
	x.slots[n.byName()] = n
	x.slots[n.key()] = n
	if n.id == (audit.TopicID{}) {
		x.nameless++
	}
	if _, told := x.forget[n.key()]; told {
		delete(x.forget, n.key()) // to be told and forgotten at once is to be forgotten
		// The broker still has it, and speaks of it when it changes. Who has just been
		// opened waits to hear of it.
		x.anew = x.anew || !s.since.IsZero()
	}
	x.queue(n)
	return n
}

// rewind asks for another place next. What is under way is not looked at.
func (x *session) rewind(n *slot, to place) {
	n.want = to
	x.queue(n)
}

func (x *session) queue(n *slot) {
	if !n.queued && !n.dropped {
		n.queued = true
		x.changed = append(x.changed, n)
	}
}

// drop reads a source no more. It is to be forgotten even while the first request
// of a session is under way: with the answer the broker remembers it.
func (x *session) drop(n *slot) {
	if n.dropped {
		return
	}
	n.dropped = true
	if n.id == (audit.TopicID{}) {
		x.nameless--
	}
	for _, k := range []slotKey{n.byName(), n.key()} {
		if x.slots[k] == n {
			delete(x.slots, k)
		}
	}
	if x.slots[n.key()] == nil {
		x.forget[n.key()] = n
	}
}

// all lists the slots, each once.
func (x *session) all() (list []*slot) {
	for k, n := range x.slots {
		if k == n.key() {
			list = append(list, n)
		}
	}
	return list
}

// reset begins anew: the broker knows nothing any more.
func (x *session) reset() {
	x.id, x.epoch = 0, 0
	clear(x.forget)
}

// request fills in what the broker does not know yet.
func (x *session) request(r *kmsg.FetchRequest, partitionBytes int32) {
	if byNames := x.nameless > 0; byNames != x.byNames || x.anew { // a session is of one kind
		x.byNames, x.anew = byNames, false
		x.reset()
	}
	r.SessionID, r.SessionEpoch = x.id, x.epoch
	told := x.changed
	if x.epoch == 0 {
		told = x.all()
		clear(x.forget)
	}
	topics := map[audit.TopicID]int{}
	for _, n := range told {
		if n.dropped {
			continue
		}
		i, ok := topics[n.id]
		if !ok || r.Topics[i].Topic != n.s.Topic {
			i = len(r.Topics)
			topics[n.id] = i
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = n.s.Topic, n.id
			r.Topics = append(r.Topics, t)
		}
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = n.s.Partition, n.want.next, partitionBytes, n.lead
		if !n.doubted {
			p.LastFetchedEpoch = n.want.epoch
		}
		r.Topics[i].Partitions = append(r.Topics[i].Partitions, p)
		if n.asked < 0 {
			x.fresh = append(x.fresh, n)
		}
		n.asked = n.want.next
	}
	for _, n := range x.changed {
		n.queued = false
	}
	x.changed = x.changed[:0]
	for _, n := range x.forget {
		// By name a topic that was made again is the old one, and to be told and
		// forgotten at once is to be forgotten.
		if x.named && x.slots[n.byName()] != nil {
			continue
		}
		t := kmsg.NewFetchRequestForgottenTopic()
		t.Topic, t.TopicID, t.Partitions = n.s.Topic, n.id, []int32{n.s.Partition}
		r.ForgottenTopics = append(r.ForgottenTopics, t)
	}
	clear(x.forget)
}

// accept takes over what an answer says of the session as a whole. If it is not
// nil the answer holds nothing else; ok says that it is enough to ask again.
func (x *session) accept(r *kmsg.FetchResponse) (ok bool, err error) {
	switch err := kerr.ErrorForCode(r.ErrorCode); err {
	case nil:
	case kerr.FetchSessionIDNotFound, kerr.InvalidFetchSessionEpoch, kerr.FetchSessionTopicIDError:
		x.reset()
		return true, err
	default:
		x.reset()
		return false, err
	}
	if x.named = r.Version < idsFrom; x.epoch == 0 {
		x.id = r.SessionID
	}
	switch {
	case x.id == 0: // no room; everything is told again
	case x.epoch == math.MaxInt32:
		x.epoch = 1
	default:
		x.epoch++
	}
	return true, nil
}

// find is the slot that a part of an answer is about; nil if that is not read any
// more, or is read from elsewhere by now.
func (x *session) find(topic string, id audit.TopicID, partition int32) *slot {
	k := slotKey{id: id, partition: partition}
	if id == (audit.TopicID{}) {
		k = slotKey{name: topic, partition: partition}
	}
	n := x.slots[k]
	if n == nil || n.asked != n.want.next {
		return nil
	}
	return n
}
