package kafka

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// onGroups runs f with a cluster, and dial for its members, under a clock that
// goes on when there is nothing else to do.
func onGroups(t *testing.T, f func(t *testing.T, s *sessions, dial func() net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		s, err := keepSessions(c, kgo.Dialer(network.DialContext))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.stop)
		f(t, s, func() net.Conn {
			conn, err := network.DialContext(t.Context(), "tcp", "localhost:9092")
			if err != nil {
				t.Fatal(err)
			}
			return conn
		})
	})
}

// kinds of members, by how they are given their id.
var kinds = []struct {
	name string
	set  func(m *member, instance string)
}{
	{"dynamic", func(*member, string) {}},
	{"before ids were required", func(m *member, _ string) { m.join.Version = 3 }},
	{"static", func(m *member, instance string) { m.join.InstanceID = &instance }},
}

func TestMembersThatDieWhileTheyJoinAreTimedOut(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			onGroups(t, func(t *testing.T, s *sessions, dial func() net.Conn) {
				live := founds(newMember(t, dial()))
				// Each has an even chance that kfake sees in time that it is gone.
				for i := range 8 {
					dead := newMember(t, dial())
					kind.set(dead, fmt.Sprint(i))
					dead.asksToJoin()
					synctest.Wait()
					dead.conn.Close()
				}
				synctest.Wait()
				live.rebalances(0)
				live.asksToJoin()
				live.hasJoined()
				if len(live.group) != 9 {
					t.Fatalf("%d members have joined, want 9", len(live.group))
				}
				live.hasSynced(live.asksToSync())
				begin := time.Now()
				live.rebalances(2 * testSession)
				live.asksToJoin()
				live.hasJoined()
				if took := time.Since(begin); took > testSession+2*sessionLook || len(live.group) != 1 {
					t.Errorf("%d members are left after %s, want the live one after one session of %s", len(live.group), took, testSession)
				}
				live.hasSynced(live.asksToSync())
				live.lives(3 * sessionLook)
				s.mu.Lock()
				defer s.mu.Unlock()
				if len(s.groups) != 0 {
					t.Errorf("a group at rest is still looked at: %v", s.groups)
				}
			})
		})
	}
}

func TestMembersThatWaitForOthersToJoinStay(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			onGroups(t, func(t *testing.T, _ *sessions, dial func() net.Conn) {
				waits := newMember(t, dial())
				kind.set(waits, "0")
				slow := follows(newMember(t, dial()), founds(waits))
				waits.asksToJoin() // as the leader, so that the group rebalances
				slow.lives(3 * testSession)
				slow.asksToJoin()
				waits.hasJoined()
				slow.hasJoined()
				if len(waits.group) != 2 {
					t.Errorf("%d members have joined, want 2", len(waits.group))
				}
			})
		})
	}
}

func TestMembersThatWaitToBeAssignedStay(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			onGroups(t, func(t *testing.T, _ *sessions, dial func() net.Conn) {
				slow := founds(newMember(t, dial()))
				waits := newMember(t, dial())
				kind.set(waits, "0")
				follows(waits, slow)
				slow.asksToJoin()
				waits.rebalances(testSession)
				waits.asksToJoin()
				slow.hasJoined()
				waits.hasJoined()
				sync := waits.asksToSync()
				slow.lives(3 * testSession)
				slow.hasSynced(slow.asksToSync())
				waits.hasSynced(sync)
			})
		})
	}
}

// A session ends when it should, also while others wait for that.
func TestMembersThatDieWhileOthersWaitAreTimedOut(t *testing.T) {
	onGroups(t, func(t *testing.T, _ *sessions, dial func() net.Conn) {
		waits := founds(newMember(t, dial()))
		dead := follows(newMember(t, dial()), waits)
		dead.conn.Close()
		begin := time.Now()
		waits.asksToJoin()
		waits.hasJoined()
		if took := time.Since(begin); took > testSession+2*sessionLook || len(waits.group) != 1 {
			t.Errorf("joined after %s as one of %d, want alone after one session of %s", took, len(waits.group), testSession)
		}
	})
}

// The first look may come before kfake has acted on a request, or long after.
func TestAGroupIsLookedAfterUntilItIsAtRest(t *testing.T) {
	at := func(state string) *kfake.GroupInfo {
		return &kfake.GroupInfo{State: state, Epoch: 5, Members: []kfake.GroupMember{{MemberID: "a"}, {MemberID: "b"}}}
	}
	for _, c := range []struct {
		name  string
		noted waiting
		then  []string // states at each look
		due   []string
	}{
		{"joins", waiting{preparing, 5}, []string{"Stable", preparing, "Stable"}, []string{"", "a", "over"}},
		{"syncs", waiting{completing, 5}, []string{completing, completing, "Stable"}, []string{"ab", "a", "over"}},
		{"is late", waiting{completing, 4}, []string{"Stable", "Stable"}, []string{"ab", "over"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &sessions{groups: map[string]*rebalance{}}
			s.note("g", "a", c.noted)
			r := s.groups["g"]
			for i, state := range c.then {
				due, over := r.look(at(state))
				r.begun = 5
				got := strings.Join(due, "")
				if over {
					got += "over"
				}
				if got != c.due[i] {
					t.Errorf("look %d, %s: %q, want %q", i, state, got, c.due[i])
				}
			}
		})
	}
}

// claims tells how many partitions each session has.
type claims chan int

func (c claims) Setup(s sarama.ConsumerGroupSession) error {
	select {
	case c <- len(s.Claims()["in"]):
	case <-s.Context().Done():
	}
	return nil
}
func (claims) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (claims) ConsumeClaim(s sarama.ConsumerGroupSession, _ sarama.ConsumerGroupClaim) error {
	<-s.Context().Done()
	return nil
}

// The same as it happens, with several brokers: processes are killed while they
// join, and the one that is left gets their partitions.
func TestSaramaGetsThePartitionsOfMembersThatDieWhileTheyJoin(t *testing.T) {
	b := mustStart(t, Options{Brokers: 3})
	client := mustClient(t, b)
	mustCreate(t, client, "in", 4, nil)
	coordinator, err := client.Coordinator("g")
	if err != nil {
		t.Fatal(err)
	}
	cfg := saramaConfig()
	cfg.Consumer.Group.Heartbeat.Interval = time.Second
	g, err := sarama.NewConsumerGroup(b.Brokers(), "g", cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ctx, cancel := context.WithCancel(t.Context())
	share := make(claims)
	done := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := g.Consume(ctx, []string{"in"}, share); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	next := func() int {
		t.Helper()
		select {
		case n := <-share:
			return n
		case err := <-done:
			t.Fatalf("the group ended: %v", err)
		case <-time.After(time.Minute):
			t.Fatal("no session in a minute")
		}
		return 0
	}
	for next() < 4 { // the first session has all
	}
	for range 8 {
		conn, err := net.Dial("tcp", coordinator.Addr())
		if err != nil {
			t.Fatal(err)
		}
		dead := newMember(t, conn)
		dead.asksToJoin()
		conn.Close()
	}
	for next() == 4 { // until the dead have joined
	}
	for next() < 4 {
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
