package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/internal/figures"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// A runner runs passes against one broker.
type runner struct {
	o     options
	kafka *kafkatest.Cluster
	n     int // passes so far
	// Of bounds: the real program, and a folder for its logs.
	binary, dir string

	client, server []int // CPUs of the passes, and of the broker
}

// split shares the CPUs out: the first to clients, the rest to the broker. With
// fewer than two nobody is pinned.
func split(all []int) (client, server []int) {
	if len(all) < 2 {
		return nil, nil
	}
	return all[:1], all[1:]
}

// child runs a pass. If hold is not nil it is called when the pass says that it
// waits, and the pass goes on when hold returns.
func (r *runner) child(ctx context.Context, p pass, hold func() error) (result, error) {
	var res result
	fail := func(err error) (result, error) { return res, fmt.Errorf("pass %d: %w", r.n, err) }
	r.n++
	p.brokers = strings.Join(r.kafka.Brokers(), ",")
	if r.o.profiles != "" {
		p.profile = filepath.Join(r.o.profiles, fmt.Sprintf("%s-%s-%d", p.kind, p.topics, r.n))
	}
	self, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	cmd := exec.CommandContext(ctx, self, p.args()...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return fail(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fail(err)
	}
	if err := pin(r.client); err != nil { // the child inherits it
		return fail(err)
	}
	err = cmd.Start()
	if back := pin(r.server); err == nil { // this process stays out of the child's way
		err = back
	}
	if err != nil {
		return fail(err)
	}
	defer cmd.Process.Kill() // no-op once it has been waited for
	reader := bufio.NewReader(out)
	line, err := reader.ReadString('\n')
	if err == nil && hold != nil {
		if err = hold(); err != nil {
			cmd.Process.Kill()
			cmd.Wait()
			return fail(err)
		}
		fmt.Fprintln(in)
		line, err = reader.ReadString('\n')
	}
	if err == nil {
		err = json.Unmarshal([]byte(line), &res)
	}
	_, _ = io.Copy(io.Discard, reader)
	if ended := cmd.Wait(); ended != nil {
		err = ended
	}
	if err != nil {
		return fail(err)
	}
	return res, nil
}

// fill makes topics and fills them, on the client's CPU.
func (r *runner) fill(ctx context.Context, o fillOrder) (truth, error) {
	names := make([]string, len(o.Topics))
	for i, t := range o.Topics {
		names[i] = t.Name
	}
	if err := createTopics(ctx, r.kafka.Brokers(), names, o.Partitions); err != nil {
		return nil, err
	}
	order, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	res, err := r.child(ctx, pass{kind: "fill", order: string(order)}, nil)
	return res.Want, err
}

// memory counts topics of 4 partitions and 6 windows, few messages in each, and
// reads the memory of the process when all is on the audit topic.
func (r *runner) memory(ctx context.Context, topics int, aim figures.Aim) error {
	const partitions, perWindow = 4, 20
	prefix := fmt.Sprintf("memory%d-", topics)
	order := fillOrder{Partitions: partitions, Messages: partitions * windows * perWindow, Size: small, Spread: true}
	for i := range topics {
		order.Topics = append(order.Topics, fillTopic{fmt.Sprintf("%s%04d", prefix, i), "none"})
	}
	fmt.Printf("filling %d topics\n", topics)
	want, err := r.fill(ctx, order)
	if err != nil {
		return err
	}
	expected := want.ofAll(order.Topics)
	own := fmt.Sprintf("%s-%d", "chaperone", r.n)
	begin := time.Now()
	res, err := r.child(ctx, pass{kind: "hold", topics: prefix, messages: expected.messages(), own: own}, func() error { return r.check(ctx, own, expected) })
	if err != nil {
		return err
	}
	fmt.Printf("%d topics: %d windows of partitions agree, after %s\n", topics, len(expected), time.Since(begin).Round(100*time.Millisecond))
	figures.Print(fmt.Sprintf("resident-%d-topics", topics), "MB", float64(res.Resident)/1e6, aim)
	figures.Print(fmt.Sprintf("resident-peak-%d-topics", topics), "MB", float64(res.Peak)/1e6, figures.Aim{})
	return nil
}
