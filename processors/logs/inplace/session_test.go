package inplace

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A rememberer is what a broker remembers of a session, as Kafka has it: what a
// request adds it adds first, what it forgets it forgets then.
type rememberer struct {
	old       bool // it knows topics by name only: fetches are of version 12
	named     bool // the session does
	id, epoch int32
	asked     map[slotKey]kmsg.FetchRequestTopicPartition
	full      int // requests that told everything
}

func (b *rememberer) take(t *testing.T, f fetch, room bool) *kmsg.FetchResponse {
	t.Helper()
	r := f.FetchRequest
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = min(13, f.MaxVersion())
	if b.old {
		resp.Version = 12
	}
	if r.SessionEpoch > 0 && b.named != (resp.Version == 12) {
		t.Fatal("a session that knows topics by name is asked by id, or the other way round")
	}
	b.named = resp.Version == 12
	if r.SessionEpoch == 0 {
		b.asked, b.epoch = map[slotKey]kmsg.FetchRequestTopicPartition{}, 0
		if len(r.ForgottenTopics) > 0 {
			t.Fatal("a new session begins with something to forget")
		}
		if b.full++; room {
			b.id, b.epoch = int32(100+b.full), 1
		}
		resp.SessionID = b.id * min(1, b.epoch)
	} else {
		if r.SessionID != b.id || r.SessionEpoch != b.epoch {
			t.Fatalf("session %d, epoch %d; the broker is at %d, %d", r.SessionID, r.SessionEpoch, b.id, b.epoch)
		}
		b.epoch++
		resp.SessionID = b.id
	}
	for _, rt := range r.Topics {
		if !b.named && rt.TopicID == (audit.TopicID{}) {
			t.Fatal("a topic without an id is asked for by its id")
		}
		for _, p := range rt.Partitions {
			b.asked[b.key(rt.TopicID, rt.Topic, p.Partition)] = p
		}
	}
	for _, rt := range r.ForgottenTopics {
		for _, p := range rt.Partitions {
			delete(b.asked, b.key(rt.TopicID, rt.Topic, p))
		}
	}
	return resp
}

func (b *rememberer) key(id audit.TopicID, name string, partition int32) slotKey {
	if b.named {
		return slotKey{name: name, partition: partition}
	}
	return slotKey{id: id, partition: partition}
}

// Whatever is added, moved, dropped, added again and made again while requests are
// under way, the broker knows what is wanted after each request, and answers count
// only for what they were asked.
func TestSessionTellsTheBrokerWhatIsWanted(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		x := newSession()
		b := &rememberer{old: seed%3 == 0}
		var slots []*slot
		drop := func(i int) {
			x.drop(slots[i])
			slots = append(slots[:i], slots[i+1:]...)
		}
		for step := range 60 {
			for range rng.IntN(5) {
				switch rng.IntN(3) {
				case 0:
					src := audit.Source{Topic: fmt.Sprint("t", rng.IntN(3)), Partition: int32(rng.IntN(3))}
					id := audit.TopicID{byte(rng.IntN(2)), src.Topic[1]}
					if seed%4 == 1 && rng.IntN(3) == 0 {
						id = audit.TopicID{}
					}
					old := slices.IndexFunc(slots, func(n *slot) bool { return n.s.Source == src })
					if old >= 0 && slots[old].id == id {
						continue
					}
					late := rng.IntN(2) == 0 // the topic is made again, and the old one goes before the new one or after it
					if old >= 0 && !late {
						drop(old)
					}
					slots = append(slots, x.add(&source{Source: src}, id, int32(rng.IntN(5)), place{int64(rng.IntN(100)), int32(rng.IntN(9) - 1)}))
					if old >= 0 && late {
						drop(old)
					}
				case 1:
					if len(slots) > 0 {
						drop(rng.IntN(len(slots)))
					}
				case 2:
					if len(slots) > 0 {
						x.rewind(slots[rng.IntN(len(slots))], place{int64(rng.IntN(100)), 7})
					}
				}
			}
			r := kmsg.NewPtrFetchRequest()
			x.request(r, 1000)
			resp := b.take(t, fetch{FetchRequest: r, named: x.nameless > 0}, seed%10 > 0)
			if len(b.asked) != len(slots) {
				t.Fatalf("seed %d, step %d: the broker reads %d partitions, want %d", seed, step, len(b.asked), len(slots))
			}
			for _, n := range slots {
				p, ok := b.asked[b.key(n.id, n.s.Topic, n.s.Partition)]
				if !ok || p.FetchOffset != n.want.next || p.LastFetchedEpoch != n.want.epoch || p.CurrentLeaderEpoch != n.lead || p.PartitionMaxBytes != 1000 {
					t.Fatalf("seed %d, step %d: asked %+v of %v, want %+v in epoch %d", seed, step, p, n.s, n.want, n.lead)
				}
			}
			// While it is under way some go on, and some go.
			for range rng.IntN(2) {
				if len(slots) > 0 {
					drop(rng.IntN(len(slots)))
				}
			}
			moved := map[*slot]bool{}
			for _, n := range slots {
				if rng.IntN(4) == 0 {
					x.rewind(n, place{n.want.next + 1, 1})
					moved[n] = true
				}
			}
			if rng.IntN(10) == 0 {
				resp.ErrorCode = kerr.FetchSessionIDNotFound.Code
				if ok, err := x.accept(resp); !ok || err == nil {
					t.Fatalf("accepted: %t, %v", ok, err)
				}
				continue
			}
			if ok, err := x.accept(resp); !ok || err != nil {
				t.Fatal(err)
			}
			for _, n := range slots {
				byID, byName := x.find("", n.id, n.s.Partition), x.find(n.s.Topic, audit.TopicID{}, n.s.Partition)
				if n.id == (audit.TopicID{}) {
					byID = byName
				}
				if want := !moved[n]; want && (byID != n || byName != n) || !want && (byID != nil || byName != nil) {
					t.Fatalf("seed %d, step %d: found %v and %v for %v, moved %t", seed, step, byID, byName, n.s, moved[n])
				}
			}
		}
		if few := b.full < 30; few != (seed%10 > 0) && seed%4 != 1 {
			t.Errorf("seed %d: %d requests of 60 told everything", seed, b.full)
		}
	}
}

func TestSessionSaysOnlyWhatHasChanged(t *testing.T) {
	x := newSession()
	b := &rememberer{}
	var slots []*slot
	for p := range int32(1000) {
		slots = append(slots, x.add(&source{Source: audit.Source{Topic: "t", Partition: p}}, audit.TopicID{1}, 0, place{5, 0}))
	}
	told := func() (n int) {
		r := kmsg.NewPtrFetchRequest()
		x.request(r, 1)
		for _, rt := range r.Topics {
			n += len(rt.Partitions)
		}
		if _, err := x.accept(b.take(t, fetch{FetchRequest: r}, true)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := told(); n != 1000 {
		t.Errorf("%d partitions told at first, want 1000", n)
	}
	if n := told(); n != 0 {
		t.Errorf("%d partitions told although nothing has changed", n)
	}
	x.rewind(slots[7], place{9, 0})
	x.rewind(slots[7], place{8, 0})
	x.rewind(slots[500], place{9, 0})
	if n := told(); n != 2 {
		t.Errorf("%d partitions told, want 2", n)
	}
	x.epoch, b.epoch = math.MaxInt32, math.MaxInt32
	told()
	if x.epoch != 1 {
		t.Errorf("epoch %d after the last one, want 1", x.epoch)
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		outcome string
		code    *kerr.Error
		slot    slot
		version int16
		cut     int64 // diverging: where the log that we read ends
		want    outcome
		err     error
	}{
		{outcome: "nothing wrong", want: serve},
		{outcome: "the log was cut", cut: 90, want: lose, err: logs.ErrTruncated},
		{outcome: "an offset that the log does not have", code: kerr.OffsetOutOfRange, slot: slot{lead: 4, want: place{100, -1}}, want: lose, err: &logs.OutOfRange{}},
		{outcome: "an offset that who was deposed does not have", code: kerr.OffsetOutOfRange, slot: slot{want: place{100, 5}, lead: 4}, want: seek, err: errStale},
		{outcome: "perhaps deleted, known by its name", code: kerr.UnknownTopicOrPartition, want: lose, err: logs.ErrGone},
		{outcome: "perhaps deleted, known by its id", code: kerr.UnknownTopicOrPartition, slot: slot{id: audit.TopicID{1}}, want: seek, err: kerr.UnknownTopicOrPartition},
		{outcome: "it may be the epoch", code: kerr.OffsetOutOfRange, slot: slot{lead: 4, want: place{100, 3}}, want: doubt, err: kerr.OffsetOutOfRange},
		{outcome: "it was the epoch", slot: slot{lead: 4, want: place{100, 3}, doubted: true}, want: lose, err: logs.ErrTruncated},
		{outcome: "it was not the epoch", code: kerr.OffsetOutOfRange, slot: slot{lead: 4, want: place{100, 3}, doubted: true}, want: lose, err: &logs.OutOfRange{}},
		{outcome: "no permission", code: kerr.TopicAuthorizationFailed, want: lose, err: logs.ErrDenied},
		{outcome: "the broker's disk", code: kerr.CorruptMessage, want: lose, err: logs.ErrCorrupt},
		{outcome: "another leader", code: kerr.NotLeaderForPartition, want: seek, err: kerr.NotLeaderForPartition},
		{outcome: "a leader that does not know it yet", code: kerr.UnknownLeaderEpoch, want: seek, err: kerr.UnknownLeaderEpoch},
		{outcome: "perhaps deleted", code: kerr.UnknownTopicID, want: seek, err: kerr.UnknownTopicID},
		{outcome: "perhaps made again", code: kerr.InconsistentTopicID, want: seek, err: kerr.InconsistentTopicID},
		{outcome: "a disk that is away", code: kerr.KafkaStorageError, want: seek, err: kerr.KafkaStorageError},
		{outcome: "a broker that cannot tell", version: 11, want: lose, err: logs.ErrTooOld},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			rp := kmsg.NewFetchResponseTopicPartition()
			if c.code != nil {
				rp.ErrorCode = c.code.Code
			}
			if c.cut > 0 {
				rp.DivergingEpoch.Epoch, rp.DivergingEpoch.EndOffset = 3, c.cut
			}
			if c.version == 0 {
				c.version = 13
			}
			c.slot.s = &source{seen: epochs{{3, 0}}}
			got, err := judge(&c.slot, &rp, c.version)
			if _, out := c.err.(*logs.OutOfRange); out {
				o, ok := errors.AsType[*logs.OutOfRange](err)
				if !ok || o.Offset != 100 || got != lose {
					t.Errorf("%d, %v", got, err)
				}
			} else if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("%d, %v; want %d, %v", got, err, c.want, c.err)
			}
			if cut, ok := errors.AsType[*logs.Truncated](err); c.cut > 0 && (!ok || cut.End != 90) {
				t.Errorf("%v does not say where", err)
			}
		})
	}
}

func TestLocate(t *testing.T) {
	id, other := audit.TopicID{1}, audit.TopicID{2}
	src := audit.Source{Topic: "t", TopicID: id, Partition: 1}
	partition := func(p, leader int32) kmsg.MetadataResponseTopicPartition {
		return kmsg.MetadataResponseTopicPartition{Partition: p, Leader: leader, LeaderEpoch: 9}
	}
	for _, c := range []struct {
		outcome string
		topic   *kmsg.MetadataResponseTopic
		want    error
	}{
		{"found", &kmsg.MetadataResponseTopic{TopicID: id, Partitions: []kmsg.MetadataResponseTopicPartition{partition(0, 7), partition(1, 3)}}, nil},
		{"found, though another partition has no leader", &kmsg.MetadataResponseTopic{ErrorCode: kerr.LeaderNotAvailable.Code, TopicID: id, Partitions: []kmsg.MetadataResponseTopicPartition{partition(0, -1), partition(1, 3)}}, nil},
		{"no leader", &kmsg.MetadataResponseTopic{TopicID: id, Partitions: []kmsg.MetadataResponseTopicPartition{partition(1, -1)}}, kerr.LeaderNotAvailable},
		{"no such topic", &kmsg.MetadataResponseTopic{ErrorCode: kerr.UnknownTopicOrPartition.Code}, logs.ErrGone},
		{"no such partition", &kmsg.MetadataResponseTopic{TopicID: id, Partitions: []kmsg.MetadataResponseTopicPartition{partition(0, 7)}}, logs.ErrGone},
		{"another topic of the name", &kmsg.MetadataResponseTopic{TopicID: other, Partitions: []kmsg.MetadataResponseTopicPartition{partition(1, 7)}}, logs.ErrRecreated},
		{"not shown", &kmsg.MetadataResponseTopic{ErrorCode: kerr.TopicAuthorizationFailed.Code}, logs.ErrDenied},
		{"for the moment", &kmsg.MetadataResponseTopic{ErrorCode: kerr.UnknownServerError.Code}, kerr.UnknownServerError},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			at, err := locate(src, c.topic)
			if !errors.Is(err, c.want) || c.want == nil && at != (lead{3, 9, id}) {
				t.Errorf("%+v, %v", at, err)
			}
		})
	}
	if _, err := locate(src, nil); err == nil {
		t.Error("an answer without the topic is no answer")
	}
}

// A broker that has not heard of an election is not asked to read, unless a topic
// of the name may be another one by now.
func TestOlderLeadersAreNotBelieved(t *testing.T) {
	id := audit.TopicID{1}
	for _, c := range []struct {
		lead  lead
		known int32
		want  bool
	}{
		{lead{1, 4, id}, 5, true},
		{lead{1, 5, id}, 5, false},
		{lead{1, 6, id}, 5, false},
		{lead{1, -1, id}, 5, false}, // it does not say
		{lead{1, 4, audit.TopicID{}}, 5, false},
		{lead{1, 0, id}, -1, false}, // nothing is known
	} {
		if got := c.lead.olderThan(c.known); got != c.want {
			t.Errorf("%+v, known %d: %t", c.lead, c.known, got)
		}
	}
}
