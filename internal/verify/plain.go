package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

const (
	windowSize = 10 * time.Minute
	// covered is more than views keep, so that REST has to ask the store as well.
	covered = 8 * time.Hour
)

// plain is what `make verify` runs.
func (r *run) plain(ctx context.Context) error {
	if err := r.one(ctx); err != nil {
		return err
	}
	return r.two(ctx)
}

// one audits a cluster that has messages already and gets more, with nothing
// but flags.
func (r *run) one(ctx context.Context) error {
	ctx, dir, end, err := r.deploy(ctx, "one")
	if err != nil {
		return err
	}
	defer end()
	say("one cluster, %d messages", r.messages)
	c, err := kafkatest.Start(ctx, kafkatest.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := create(ctx, c, plainTopics); err != nil {
		return err
	}
	lines, err := r.console(ctx, c, consoleTopic)
	if err != nil {
		return err
	}

	producing := r.inBackground(ctx, r.order(c, plainTopics, r.messages, covered, windowSize))
	if err := producing.reach(ctx, r.messages/5); err != nil {
		return err
	}
	a, err := r.standalone(ctx, dir, "--brokers", c.Brokers()[0], "--set", "codecs="+rules(plainTopics))
	if err != nil {
		return err
	}
	told, err := producing.wait(ctx, a)
	if err != nil {
		return err
	}
	found, err := recount(ctx, c, plainTopics, windowSize, told, lines)
	if err != nil {
		return err
	}
	want := cells{}
	want.add("regional", "local", found)
	if err := r.judge(ctx, a, want); err != nil {
		return err
	}
	return r.processes.Stop()
}

// two audits a regional and an aggregate cluster in one deployment. Topics have
// the same names on both, but not the same messages and partitions, so that
// what is mixed up shows.
func (r *run) two(ctx context.Context) error {
	ctx, dir, end, err := r.deploy(ctx, "two")
	if err != nil {
		return err
	}
	defer end()
	messages := r.messages / 5
	say("two clusters, %d messages on each", messages)
	regional, err := kafkatest.Start(ctx, kafkatest.Options{})
	if err != nil {
		return err
	}
	defer regional.Close()
	aggregate, err := kafkatest.Start(ctx, kafkatest.Options{})
	if err != nil {
		return err
	}
	defer aggregate.Close()

	file := filepath.Join(dir, "chaperone.yml")
	text := fmt.Sprintf(`clusters:
  - name: kafka-west
    tier: regional
    datacenter: west
    brokers: [%q]
  - name: kafka-all
    tier: aggregate
    datacenter: central
    brokers: [%q]
codecs: %s
`, regional.Brokers()[0], aggregate.Brokers()[0], rules(plainTopics))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	bulk := plainTopics[:len(plainTopics)-1]
	onAggregate := append([]topic(nil), bulk...)
	onAggregate[2].partitions = 5
	a, err := r.standalone(ctx, dir, "--config", file)
	if err != nil {
		return err
	}
	want := cells{}
	for _, x := range []struct {
		tier, cluster string
		c             *kafkatest.Cluster
		topics        []topic
		messages      int
		seed          uint64
	}{
		{"regional", "kafka-west", regional, bulk, messages, r.seed},
		{"aggregate", "kafka-all", aggregate, onAggregate, messages + 1, r.seed + 1},
	} {
		if err := create(ctx, x.c, x.topics); err != nil {
			return err
		}
		o := r.order(x.c, x.topics, x.messages, covered, windowSize)
		o.Seed = x.seed
		told, err := r.inBackground(ctx, o).wait(ctx, a)
		if err != nil {
			return err
		}
		found, err := recount(ctx, x.c, x.topics, windowSize, told, 0)
		if err != nil {
			return err
		}
		want.add(x.tier, x.cluster, found)
	}
	if err := r.judge(ctx, a, want); err != nil {
		return err
	}
	return r.processes.Stop()
}

// clickhouseAt matches what chaperone prints when it has started the engine.
var clickhouseAt = regexp.MustCompile(`embedded ClickHouse at (http://[^\s"]+)`)

// standalone starts `chaperone standalone`, with its data in a folder, on free
// ports, and gives the addresses that it prints.
func (r *run) standalone(ctx context.Context, dir string, args ...string) (a answers, err error) {
	p, err := r.processes.Start("standalone", append([]string{"standalone", "--http", "127.0.0.1:0",
		"--set", "embedded.dir=" + filepath.Join(dir, "data"), "--set", "embedded.clickhouse_addr=127.0.0.1:0", "--set", "count.reader=" + r.reader}, args...)...)
	if err != nil {
		return a, err
	}
	if a.clickhouse, err = p.Says(ctx, "where ClickHouse is", clickhouseAt); err != nil {
		return a, err
	}
	if a.rest, err = p.Rest(ctx); err != nil {
		return a, err
	}
	say("chaperone standalone runs (pid %d): ClickHouse %s, REST %s", p.PID(), a.clickhouse, a.rest)
	return a, nil
}
