package kafka

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// testSession is the shortest that brokers allow.
const testSession = 6 * time.Second

// A member speaks the group protocol over a connection of its own, one request
// at a time, so that it can die between any two.
type member struct {
	t          *testing.T
	conn       net.Conn
	join       kmsg.JoinGroupRequest
	generation int32
	group      []string // member ids of the generation, if this one leads it
}

// newMember has not joined yet. Version 5 of JoinGroup is the last one without
// tagged fields, and has all that matters here.
func newMember(t *testing.T, conn net.Conn) *member {
	t.Cleanup(func() { conn.Close() })
	m := &member{t: t, conn: conn, join: kmsg.NewJoinGroupRequest()}
	m.join.Version = 5
	m.join.Group, m.join.ProtocolType = "g", "consumer"
	m.join.SessionTimeoutMillis = int32(testSession.Milliseconds())
	m.join.RebalanceTimeoutMillis = int32(time.Minute.Milliseconds())
	p, meta := kmsg.NewJoinGroupRequestProtocol(), kmsg.NewConsumerMemberMetadata()
	meta.Topics = []string{"in"}
	p.Name, p.Metadata = "range", meta.AppendTo(nil)
	m.join.Protocols = append(m.join.Protocols, p)
	return m
}

func (m *member) send(req kmsg.Request) {
	m.t.Helper()
	if _, err := m.conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 0)); err != nil {
		m.t.Fatalf("send %s: %v", kmsg.NameForKey(req.Key()), err)
	}
}

// answer waits for the answer to what was sent last.
func (m *member) answer(req kmsg.Request) kmsg.Response {
	m.t.Helper()
	_ = m.conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
	resp := req.ResponseKind()
	head := make([]byte, 8) // size and correlation id
	_, err := io.ReadFull(m.conn, head)
	if err == nil {
		body := make([]byte, binary.BigEndian.Uint32(head)-4)
		if _, err = io.ReadFull(m.conn, body); err == nil {
			err = resp.ReadFrom(body)
		}
	}
	if err != nil {
		m.t.Fatalf("answer to %s: %v", kmsg.NameForKey(req.Key()), err)
	}
	return resp
}

// asksToJoin ends when only JoinGroup's answer is to come. A dynamic member is
// given an id first and joins with that (KIP-394); a static one, or one that
// speaks an older version, is taken in without.
func (m *member) asksToJoin() {
	m.t.Helper()
	m.send(&m.join)
	if m.join.MemberID != "" || m.join.InstanceID != nil || m.join.Version < 4 {
		return
	}
	resp := m.answer(&m.join).(*kmsg.JoinGroupResponse)
	if resp.ErrorCode != kerr.MemberIDRequired.Code {
		m.t.Fatalf("first join: %v, want to be given an id", kerr.ErrorForCode(resp.ErrorCode))
	}
	m.join.MemberID = resp.MemberID
	m.send(&m.join)
}

func (m *member) hasJoined() {
	m.t.Helper()
	resp := m.answer(&m.join).(*kmsg.JoinGroupResponse)
	if resp.ErrorCode != 0 {
		m.t.Fatalf("join: %v", kerr.ErrorForCode(resp.ErrorCode))
	}
	m.join.MemberID, m.generation, m.group = resp.MemberID, resp.Generation, nil
	for _, other := range resp.Members {
		m.group = append(m.group, other.MemberID)
	}
}

// asksToSync assigns to each member its own id, if this one leads.
func (m *member) asksToSync() *kmsg.SyncGroupRequest {
	m.t.Helper()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version = 3
	req.Group, req.MemberID, req.Generation = m.join.Group, m.join.MemberID, m.generation
	for _, id := range m.group {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = id, []byte(id)
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	m.send(req)
	return req
}

func (m *member) hasSynced(req *kmsg.SyncGroupRequest) {
	m.t.Helper()
	resp := m.answer(req).(*kmsg.SyncGroupResponse)
	if resp.ErrorCode != 0 || string(resp.MemberAssignment) != m.join.MemberID {
		m.t.Fatalf("sync of %s: %v, assignment %q", m.join.MemberID, kerr.ErrorForCode(resp.ErrorCode), resp.MemberAssignment)
	}
}

// heartbeat reports whether the group rebalances.
func (m *member) heartbeat() bool {
	m.t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version = 3
	req.Group, req.MemberID, req.Generation = m.join.Group, m.join.MemberID, m.generation
	m.send(req)
	err := kerr.ErrorForCode(m.answer(req).(*kmsg.HeartbeatResponse).ErrorCode)
	if err != nil && err != kerr.RebalanceInProgress {
		m.t.Fatalf("heartbeat: %v", err)
	}
	return err != nil
}

// rebalances sends heartbeats until the group rebalances.
func (m *member) rebalances(bound time.Duration) {
	m.t.Helper()
	for begin := time.Now(); !m.heartbeat(); time.Sleep(100 * time.Millisecond) {
		if time.Since(begin) >= bound {
			m.t.Fatalf("no rebalance in %s", bound)
		}
	}
}

// lives sends heartbeats, and nothing else, for so long.
func (m *member) lives(d time.Duration) {
	m.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		m.heartbeat()
	}
}

// founds makes a member the first of a group, and so its leader.
func founds(m *member) *member {
	m.t.Helper()
	m.asksToJoin()
	m.hasJoined()
	m.hasSynced(m.asksToSync())
	return m
}

// follows lets a second member into the group.
func follows(m, leader *member) *member {
	m.t.Helper()
	m.asksToJoin()
	leader.rebalances(testSession)
	leader.asksToJoin()
	leader.hasJoined()
	m.hasJoined()
	sync := m.asksToSync()
	leader.hasSynced(leader.asksToSync())
	m.hasSynced(sync)
	return m
}
