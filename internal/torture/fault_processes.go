package torture

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

var processFaults = []*Fault{
	{Name: "sigkill", What: "a process is killed and started again", lane: processes, least: 1500 * time.Millisecond, needs: anywhere, inject: sigkill},
	{Name: "sigstop", What: "a process is paused past its session's end, then wakes up and goes on", lane: processes, least: sessionTimeout + 3*time.Second, needs: anywhere, inject: sigstop},
	{Name: "sigterm", What: "a process is stopped as an operator would, and started again", lane: processes, least: 500 * time.Millisecond, needs: anywhere, inject: sigterm},
	{Name: "rolling-restart", What: "all processes are restarted, one after the other", lane: processes, least: 4 * time.Second, needs: anywhere, inject: rollingRestart},
	{Name: "scale", What: "counting instances become 1, then 4, then 2", lane: processes, least: 6 * time.Second, needs: anywhere, inject: scale},
	{Name: "rebalance-storm", What: "a member joins and leaves the counting group again and again", lane: processes, least: 5 * time.Second, needs: anywhere, inject: rebalanceStorm},
	{Name: "clock", What: "an instance whose clock is off by an hour takes part", lane: processes, least: 4 * time.Second, needs: needsSkewed, inject: wrongClock},
	{Name: "old-binary", What: "an earlier version takes part beside the present one", lane: processes, least: 4 * time.Second, needs: needsOld, inject: oldBinary},
}

// victims are hit in turns; those that count are worth the most.
var victims = []string{"count-1", "count-2", "count-1", "count-2", "count-1", "count-2", "collect-1", "collect-2", "sink-1", "serve-1"}

func sigkill(i *injection) error {
	i.w.procs.Lock()
	defer i.w.procs.Unlock()
	name := i.some(victims...)
	i.w.say("kill %s", name)
	i.w.child(name).Kill()
	i.wait(i.hold) // as long as somebody needs to start it again
	return i.w.start(name)
}

func sigstop(i *injection) error {
	i.w.procs.Lock()
	defer i.w.procs.Unlock()
	name := i.some(victims...)
	i.w.say("pause %s for %s", name, i.hold.Round(time.Millisecond))
	child := i.w.child(name)
	child.Signal(syscall.SIGSTOP)
	defer child.Signal(syscall.SIGCONT)
	i.wait(i.hold)
	return nil
}

func sigterm(i *injection) error {
	i.w.procs.Lock()
	defer i.w.procs.Unlock()
	return i.restart(i.some(victims...), i.hold)
}

// restart stops an instance in order, and starts it after a pause.
func (i *injection) restart(name string, pause time.Duration) error {
	i.stop(name)
	i.wait(pause)
	return i.w.start(name)
}

// stop stops an instance in order. That it ends in any other way is wrong. But
// while something that it needs is away it may say that it leaves work to others.
func (i *injection) stop(name string) {
	i.w.say("stop %s", name)
	child, began := i.w.child(name), time.Now()
	err := child.Stop()
	if err == nil || bytes.Contains(child.Output(), []byte(shards.ErrLeft.Error())) && !i.w.undisturbed(began) {
		return
	}
	i.w.fail("%v", err)
}

func rollingRestart(i *injection) error {
	i.w.procs.Lock()
	defer i.w.procs.Unlock()
	for _, name := range standing {
		if err := i.restart(name, 50*time.Millisecond); err != nil {
			return err
		}
		i.wait(i.hold / time.Duration(2*len(standing)))
	}
	return nil
}

func scale(i *injection) error {
	i.w.procs.Lock()
	defer i.w.procs.Unlock()
	i.stop("count-2")
	i.w.say("1 instance counts")
	i.wait(i.hold / 3)
	for _, name := range []string{"count-2", "count-3", "count-4"} {
		if err := i.w.start(name); err != nil {
			return err
		}
	}
	i.w.say("4 instances count")
	i.wait(2 * i.hold / 3)
	var wg sync.WaitGroup
	for _, name := range []string{"count-3", "count-4"} {
		wg.Go(func() { i.end(name) })
	}
	wg.Wait()
	i.w.say("2 instances count")
	return nil
}

// end stops an instance for good.
func (i *injection) end(name string) {
	i.stop(name)
	i.w.remove(name)
}

// rebalanceStorm lets a member that does nothing with its shards join and leave.
func rebalanceStorm(i *injection) error {
	i.w.procs.Lock()
	defer i.w.procs.Unlock()
	i.w.say("a member joins and leaves the counting group, again and again")
	for end := time.Now().Add(i.hold); time.Now().Before(end) && i.ctx.Err() == nil; {
		c := sarama.NewConfig()
		c.Consumer.Group.Session.Timeout = sessionTimeout
		var g sarama.ConsumerGroup
		if err := i.persist(nil, func(context.Context) (err error) {
			g, err = sarama.NewConsumerGroup(i.w.clusters[home].Brokers(), string(i.w.topology.CountGroup()), shards.GroupConfig(c, ""))
			return err
		}); err != nil {
			return fmt.Errorf("join the counting group: %w", err)
		}
		member := &bystander{joined: make(chan struct{})}
		go func() { _ = g.Consume(i.ctx, []string{string(i.w.topology.ShardsTopic())}, member) }()
		select {
		case <-member.joined:
			i.wait(time.Duration(i.rng.IntN(300)) * time.Millisecond)
		case <-i.ctx.Done():
		case <-time.After(sessionTimeout):
		}
		_ = g.Close() // leaves; what goes wrong in that is part of the storm
	}
	return nil
}

// bystander is a group member that has shards and does not count.
type bystander struct {
	once   sync.Once
	joined chan struct{}
}

func (b *bystander) Setup(sarama.ConsumerGroupSession) error {
	b.once.Do(func() { close(b.joined) })
	return nil
}
func (b *bystander) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (b *bystander) ConsumeClaim(s sarama.ConsumerGroupSession, _ sarama.ConsumerGroupClaim) error {
	<-s.Context().Done()
	return nil
}

func needsSkewed(w *world) string {
	if w.o.SkewedBinary == "" {
		return "no binary with a wrong clock: see --skewed-binary"
	}
	return ""
}

func needsOld(w *world) string {
	if w.o.OldBinary == "" {
		return "no earlier binary: see --old-binary"
	}
	return ""
}

// wrongClock has one counting instance an hour ahead, and another one behind.
func wrongClock(i *injection) error {
	return i.guests("count-5", i.w.o.SkewedBinary, i.w.readerOf("count-5"), "CHAPERONE_TORTURE_SKEW="+i.some("3600", "-3600"))
}

func oldBinary(i *injection) error {
	i.w.cutting.Lock()
	defer i.w.cutting.Unlock()
	return i.guests("count-6", i.w.o.OldBinary)
}

// guests has another binary take part: as one more that counts, and in place of
// one that collects and sinks.
func (i *injection) guests(name, binary string, env ...string) error {
	w := i.w
	w.procs.Lock()
	defer w.procs.Unlock()
	w.say("%s takes part %v", name, env)
	replaced := i.some("collect-1", "sink-1", "count-1")
	if binary == w.o.OldBinary {
		w.invite(name, replaced)
		defer w.invite()
	}
	if err := w.startBinary(name, binary, env...); err != nil {
		return err
	}
	i.stop(replaced)
	if err := w.startBinary(replaced, binary, env...); err != nil {
		return err
	}
	i.wait(i.hold)
	// They die: an earlier version may not stop well while brokers are away.
	w.child(name).Kill()
	w.remove(name)
	w.child(replaced).Kill()
	return w.start(replaced)
}
