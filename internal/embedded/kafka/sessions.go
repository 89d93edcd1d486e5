package kafka

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionLook is how often rebalancing groups are looked at: well within the
// shortest session that kfake allows, which is 6 s.
const sessionLook = time.Second

// sessions keeps two rules of Apache Kafka's classic groups that kfake breaks,
// so that a process which dies in a rebalance goes, and one which waits stays:
//
//  1. A member's session begins when its JoinGroup is answered. kfake begins it
//     only if the answer can be sent. So a process is killed while it waits to
//     join; when all others have joined it is answered, too, but its connection
//     is gone, and it gets no session; the leader syncs, and with that ends the
//     time in which everybody must. Now nothing times the dead member out: it
//     has partitions that nobody reads, for ever, and each later rebalance
//     waits for it.
//  2. A member that waits for the answer to JoinGroup or SyncGroup is alive,
//     since clients send no heartbeats then. kfake lets its session run out and
//     drops it, without an answer. sarama's consumer group ends with an i/o
//     timeout on that.
//
// Both are made good by heartbeats in the member's name: one when a generation
// has begun, and more while it waits. Members are still timed out by kfake, by
// their own session timeout; nothing here decides who is dead.
type sessions struct {
	cluster *kfake.Cluster
	client  *kgo.Client
	cancel  context.CancelFunc
	done    chan struct{} // closed when nothing more is sent

	mu     sync.Mutex
	groups map[string]*rebalance // those that rebalance, or may be about to
}

// A rebalance is what is known of a group while its members join and sync.
type rebalance struct {
	begun   int32              // the generation whose members have had a heartbeat
	waiting map[string]waiting // by member id
	asked   bool               // since the last look; kfake may not have acted on it yet
}

// waiting is the state of the group whose end a member waits for: preparing
// after JoinGroup, completing after SyncGroup.
type waiting struct {
	state      string
	generation int32
}

// The states of a rebalancing group, in kfake's words.
const (
	preparing  = "PreparingRebalance"
	completing = "CompletingRebalance"
)

// keepSessions begins to look after the groups of a cluster. Don't forget to
// stop it, before the cluster. Options say how to reach the cluster, if not by
// its addresses.
func keepSessions(c *kfake.Cluster, opts ...kgo.Opt) (*sessions, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.ClientID("embedded-kafka")}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("client for the sessions of groups: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &sessions{cluster: c, client: client, cancel: cancel, done: make(chan struct{}), groups: map[string]*rebalance{}}
	c.ControlKey(int16(kmsg.JoinGroup), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req := kreq.(*kmsg.JoinGroupRequest)
		var generation int32
		if info := c.GroupInfo(req.Group); info != nil {
			generation = info.Epoch
		}
		// A member that has no id yet needs no heartbeats to wait: it has no
		// session that could end.
		s.note(req.Group, req.MemberID, waiting{preparing, generation})
		return nil, nil, false
	})
	c.ControlKey(int16(kmsg.SyncGroup), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req := kreq.(*kmsg.SyncGroupRequest)
		s.note(req.Group, req.MemberID, waiting{completing, req.Generation})
		return nil, nil, false
	})
	go s.run(ctx)
	return s, nil
}

func (s *sessions) stop() {
	s.cancel()
	<-s.done
	s.client.Close()
}

// note keeps what a member waits for.
func (s *sessions) note(group, member string, w waiting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.groups[group]
	if r == nil {
		r = &rebalance{begun: w.generation, waiting: map[string]waiting{}}
		if w.state == completing {
			r.begun-- // the generation is a new one
		}
		s.groups[group] = r
	}
	r.waiting[member], r.asked = w, true
}

func (s *sessions) run(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(sessionLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.renew(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// renew sends the heartbeats that are due. The lock is not held meanwhile: the
// cluster answers nothing while one of its requests waits in note.
func (s *sessions) renew(ctx context.Context) {
	s.mu.Lock()
	groups := maps.Clone(s.groups)
	s.mu.Unlock()
	for group, r := range groups {
		info := s.cluster.GroupInfo(group)
		if info == nil { // deleted, or its first join was refused
			info = &kfake.GroupInfo{}
		}
		s.mu.Lock()
		due, over := r.look(info)
		s.mu.Unlock()
		sent := true
		for _, member := range due {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.Generation, req.MemberID = group, info.Epoch, member
			// What the answer says does not matter: the group may have moved on.
			_, err := req.RequestWith(ctx, s.client)
			sent = sent && err == nil
		}
		if !sent {
			continue // the next look tries again
		}
		s.mu.Lock()
		r.begun = info.Epoch
		if over && !r.asked {
			delete(s.groups, group)
		}
		s.mu.Unlock()
	}
}

// look says whose sessions to renew, the group being as it is, and whether the
// rebalance is over.
func (r *rebalance) look(info *kfake.GroupInfo) (due []string, over bool) {
	maps.DeleteFunc(r.waiting, func(_ string, w waiting) bool { return w.generation < info.Epoch })
	for _, m := range info.Members {
		if r.begun != info.Epoch || r.waiting[m.MemberID] == (waiting{info.State, info.Epoch}) {
			due = append(due, m.MemberID)
		}
	}
	over = !r.asked && info.State != preparing && info.State != completing
	r.asked = false
	return due, over
}
