package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/internal/children"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// killTopics are those that are there from the beginning; the first gets more
// partitions, and newTopic comes, while messages arrive.
var killTopics = []topic{
	{name: "orders", partitions: 4, weight: 50, compression: "lz4"},
	{name: "clicks", partitions: 6, weight: 50, compression: "zstd"},
}

const addedPartitions = 3

var newTopic = topic{name: "refunds", partitions: 5, weight: 1, compression: "snappy", field: "at"}

const (
	// killWindow is small, and so is killSegment (windows per segment), so that
	// there are many rows and segments turn all the time.
	killWindow  = time.Minute
	killSegment = 2
	// killFlush is short, so that a process is often killed between the rows of a
	// flush and its ledger, when what comes next must be skipped and not counted
	// again. With the default it hardly ever is.
	killFlush = 50 * time.Millisecond
	// killFor is how long messages arrive.
	killFor = 75 * time.Second
	// leastKills of counting processes, in mid-stream, without which the run
	// proves nothing.
	leastKills = 3
)

// victims are killed in turns. That the other parts are killed too costs
// nothing more.
var victims = []string{"count-1", "count-2", "sink", "count-1", "collect", "count-2"}

// A deployment with a process for each part, of which any can be replaced.
type deployment struct {
	r       *run
	common  []string // arguments of all
	running map[string]*children.Child
	answers
	producing *production
	killed    int // counting processes
}

// start runs the part that a name begins with: count-1 is `chaperone count`.
func (d *deployment) start(name string) (err error) {
	part, _, _ := strings.Cut(name, "-")
	d.running[name], err = d.r.processes.Start(name, append([]string{part}, d.common...)...)
	return err
}

// kill is what `make verify-kill` runs.
func (r *run) kill(ctx context.Context) error {
	ctx, dir, end, err := r.deploy(ctx, "kill")
	if err != nil {
		return err
	}
	defer end()
	say("%d messages within %s, two counting processes", r.messages, killFor)
	c, err := kafkatest.Start(ctx, kafkatest.Options{})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := create(ctx, c, killTopics); err != nil {
		return err
	}
	store, err := startStore(ctx, filepath.Join(dir, "clickhouse"))
	if err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := store.Stop(stop); err != nil {
			say("%v", err)
		}
	}()

	d := &deployment{r: r, running: map[string]*children.Child{}, common: []string{
		"--brokers", c.Brokers()[0], "--dsn", store.DSN(), "--http", "127.0.0.1:0",
		"--set", "windows.size=" + killWindow.String(), "--set", fmt.Sprintf("count.windows_per_segment=%d", killSegment),
		"--set", "count.flush=" + killFlush.String(), "--set", "count.reader=" + r.reader, "--set", "audit.session_timeout=6s", "--set", "topics.poll=1s", "--set", "codecs=" + rules([]topic{newTopic}),
	}}
	for _, name := range []string{"count-1", "count-2", "collect", "sink", "serve"} {
		if err := d.start(name); err != nil {
			return err
		}
	}
	d.clickhouse = "http://" + store.Addr()
	if d.rest, err = d.running["serve"].Rest(ctx); err != nil {
		return err
	}
	say("five processes run: ClickHouse %s, REST %s", d.clickhouse, d.rest)

	o := r.order(c, killTopics, r.messages, 2*time.Hour, killWindow)
	o.Rate = float64(r.messages) / killFor.Seconds()
	// Most messages are in time, or every few messages would open a segment.
	o.Late, o.UsualMs = 0.02, (20 * time.Second).Milliseconds()
	d.producing = r.inBackground(ctx, o)
	changes := make(chan changed, 1)
	go func() { changes <- d.change(ctx, c) }()
	if err := d.torment(ctx); err != nil {
		return err
	}
	told, err := d.producing.wait(ctx, d.answers)
	if err != nil {
		return err
	}
	more := <-changes
	if more.err != nil {
		return more.err
	}
	told2, err := more.producing.wait(ctx, d.answers)
	if err != nil {
		return err
	}
	maps.Copy(told, told2)

	found, err := recount(ctx, c, append([]topic{newTopic}, killTopics...), killWindow, told, 0)
	if err != nil {
		return err
	}
	want := cells{}
	want.add("regional", "local", found)
	if err := r.judge(ctx, d.answers, want); err != nil {
		return err
	}
	if err := d.proved(ctx); err != nil {
		return err
	}
	return r.processes.Stop()
}

func startStore(ctx context.Context, dir string) (*clickhouse.Server, error) {
	library, err := clickhouse.Library(ctx, clickhouse.LibraryOptions{Progress: os.Stderr})
	if err != nil {
		return nil, err
	}
	return clickhouse.Start(ctx, clickhouse.Options{Dir: dir, Library: library})
}

// changed is what change has begun.
type changed struct {
	producing *production // to the new topic
	err       error
}

// change makes a new topic after a third of the messages, and adds partitions
// to one after half.
func (d *deployment) change(ctx context.Context, c *kafkatest.Cluster) changed {
	if err := d.producing.reach(ctx, d.r.messages/3); err != nil {
		return changed{err: err}
	}
	if err := create(ctx, c, []topic{newTopic}); err != nil {
		return changed{err: err}
	}
	say("there is a new topic, %s", newTopic.name)
	o := d.r.order(c, []topic{newTopic}, d.r.messages/10, 2*time.Hour, killWindow)
	o.Late, o.UsualMs = 0.02, (20 * time.Second).Milliseconds()
	o.Rate = d.producing.order.Rate / 5
	producing := d.r.inBackground(ctx, o)
	if err := d.producing.reach(ctx, d.r.messages/2); err != nil {
		return changed{err: err}
	}
	first := killTopics[0]
	if err := c.AddPartitions(ctx, first.name, first.partitions+addedPartitions); err != nil {
		return changed{err: err}
	}
	say("topic %s has %d partitions more", first.name, addedPartitions)
	return changed{producing: producing}
}

// torment kills one process after the other and starts it again, each time
// when some messages more have come through, until production has ended.
func (d *deployment) torment(ctx context.Context) error {
	var before uint64
	for i := 0; ; i++ {
		name := victims[i%len(victims)]
		counted, err := d.grown(ctx, before+uint64(d.r.messages/15))
		if err != nil {
			return err
		}
		if counted == 0 {
			return nil
		}
		before = counted
		say("killing %s: %d messages are produced, %d are in ClickHouse", name, d.producing.sent.Load(), counted)
		d.running[name].Kill()
		if strings.HasPrefix(name, "count") {
			d.killed++
		}
		// An operator's machine needs a moment to start it again.
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
		if err := d.start(name); err != nil {
			return err
		}
	}
}

// grown waits until ClickHouse has so many messages, and gives how many; 0 when
// production has ended before.
func (d *deployment) grown(ctx context.Context, least uint64) (uint64, error) {
	for {
		// Until the sink has made its tables, this is an error.
		if got, err := d.sql(ctx); err == nil && got.messages() >= least {
			return got.messages(), nil
		}
		select {
		case <-d.producing.done:
			return 0, d.producing.err
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for %d messages in ClickHouse: %w", least, context.Cause(ctx))
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// proved makes sure that what was to be tried did happen.
func (d *deployment) proved(ctx context.Context) error {
	text, err := get(ctx, d.clickhouse+"/?query="+strings.ReplaceAll("SELECT max(segment), uniqExact(owner) FROM chaperone.audit_records FORMAT TabSeparated", " ", "+"))
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	var segment, owners int
	if _, err := fmt.Sscan(string(text), &segment, &owners); err != nil {
		return fmt.Errorf("ask ClickHouse: %q: %w", text, err)
	}
	say("%d counting processes were killed in mid-stream, %d sessions counted, partitions went through up to %d segments", d.killed, owners, segment+1)
	if d.killed < leastKills || segment < 3 || owners < 3 {
		return fmt.Errorf("too little happened to prove anything: at least %d kills, 3 sessions and 4 segments are needed; give more -messages", leastKills)
	}
	return nil
}
