package shards

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// group is the sarama.ConsumerGroup that goka gets.
type group struct {
	sarama.ConsumerGroup
	p *Processor
	r *run
}

// Consume loops here because goka would sleep 5 s between two sessions.
func (g *group) Consume(ctx context.Context, topics []string, goka sarama.ConsumerGroupHandler) error {
	for ctx.Err() == nil {
		if err := g.ConsumerGroup.Consume(ctx, topics, &handler{p: g.p, r: g.r, goka: goka}); err != nil {
			return err
		}
	}
	return nil
}

// handler stands between sarama and goka for one session.
type handler struct {
	p    *Processor
	r    *run
	goka sarama.ConsumerGroupHandler
	s    *session

	began time.Time
}

// Setup returns when goka has recovered the tables of all claims.
func (h *handler) Setup(s sarama.ConsumerGroupSession) error {
	id := make([]byte, 6)
	_, _ = rand.Read(id) // never fails
	h.s = &session{ConsumerGroupSession: s, r: h.r, group: string(h.p.o.Graph.Group()), instance: h.p.o.InstanceID, owner: hex.EncodeToString(id), marks: map[int32]*marks{}}
	for _, p := range s.Claims()[h.p.input] {
		h.s.marks[p] = &marks{}
	}
	h.began = time.Now()
	if err := h.goka.Setup(h.s); err != nil {
		return err
	}
	h.p.sessions.Add(1)
	h.p.o.Log.Info("session begins", "generation", s.GenerationID(), "claims", len(h.s.marks), "owner", h.s.owner, "recovered_in", time.Since(h.began).Round(time.Millisecond))
	h.p.o.Health.OK()
	return nil
}

func (h *handler) Cleanup(s sarama.ConsumerGroupSession) error {
	err := h.goka.Cleanup(h.s)
	h.p.o.Log.Info("session ends", "generation", s.GenerationID(), "owner", h.s.owner, "err", err)
	return err
}

// ConsumeClaim runs the worker beside goka's own loop over the same claim.
func (h *handler) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	ctx, cancel := context.WithCancelCause(s.Context())
	defer cancel(nil)
	c := &Claim{
		Partition: claim.Partition(), Claims: len(h.s.marks), Owner: h.s.owner, Began: h.began, Table: h.r.store(claim.Partition()),
		Start: claim.InitialOffset(), Messages: claim.Messages(), Draining: h.p.draining,
		input: h.p.input, session: h.s, out: make(chan *sarama.ConsumerMessage), marks: h.s.marks[claim.Partition()],
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		// A goka partition that fails ends its shard, and by that the session.
		err := h.goka.ConsumeClaim(&claimSession{h.s, ctx}, &syntheticClaim{claim, c.out})
		cancel(fmt.Errorf("goka's partition processor ended: %w", orEnded(err)))
	})
	err := h.p.o.Worker.Work(ctx, c)
	switch {
	case ctx.Err() != nil:
		h.r.drained(c.Partition) // nothing can be written any more
		h.p.o.Log.Log(context.Background(), slog.LevelDebug, "claim ends", "shard", c.Partition, "cause", context.Cause(ctx), "err", err)
		return nil
	case err != nil:
		h.p.fail(fmt.Errorf("shard %d: %w", c.Partition, err))
		h.r.drained(c.Partition)
		// To return ends the session, for all instances. What fails again at once
		// must not keep them all rebalancing.
		select {
		case <-ctx.Done():
		case <-time.After(failedPause):
		}
		cancel(err)
		return err
	}
	// Drained. A claim that returns ends the session for all others, so wait.
	h.r.drained(c.Partition)
	<-ctx.Done()
	return nil
}

// failedPause is how long a claim whose worker failed is held before the session ends.
const failedPause = 5 * time.Second

// claimSession is the session in the eyes of goka's loop over one claim: it ends
// with the claim.
type claimSession struct {
	*session
	ctx context.Context
}

func (s *claimSession) Context() context.Context { return s.ctx }

var errEnded = errors.New("without an error")

func orEnded(err error) error {
	if err == nil {
		return errEnded
	}
	return err
}

// session hands goka's marks to the claims instead of committing them.
type session struct {
	sarama.ConsumerGroupSession
	r        *run
	group    string
	instance string // of static membership, else empty
	owner    string
	marks    map[int32]*marks
}

func (s *session) MarkOffset(_ string, partition int32, _ int64, _ string) { s.marks[partition].mark() }
func (s *session) MarkMessage(m *sarama.ConsumerMessage, _ string)         { s.marks[m.Partition].mark() }

// confirm sends a heartbeat of our own. It goes through a client of its own:
// on a shared connection it would wait behind whatever else is asked.
func (s *session) confirm() bool {
	b, err := s.r.client.Coordinator(s.group)
	if err != nil {
		return false
	}
	req := &sarama.HeartbeatRequest{GroupId: s.group, GenerationId: s.GenerationID(), MemberId: s.MemberID()}
	if s.instance != "" {
		req.Version, req.GroupInstanceId = 3, &s.instance
	}
	resp, err := b.Heartbeat(req)
	if err != nil {
		_ = b.Close() // a dead connection is opened anew
		_ = s.r.client.RefreshCoordinator(s.group)
		return false
	}
	if resp.Err == sarama.ErrNotCoordinatorForConsumer || resp.Err == sarama.ErrConsumerCoordinatorNotAvailable {
		_ = s.r.client.RefreshCoordinator(s.group)
	}
	return resp.Err == sarama.ErrNoError
}

// syntheticClaim gives goka the worker's messages in place of the topic's.
type syntheticClaim struct {
	sarama.ConsumerGroupClaim
	messages chan *sarama.ConsumerMessage
}

func (c *syntheticClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }
