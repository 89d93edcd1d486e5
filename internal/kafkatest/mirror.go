package kafkatest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// MirrorOptions say what MirrorMaker 2 copies.
type MirrorOptions struct {
	From   map[string][]string // brokers of the clusters to copy from, by a name
	To     []string            // brokers of the cluster to copy to
	Topics []string            // names; those that come while it runs take up to 5 s to be noticed
	// Prefixed leaves the names of copies to MirrorMaker's own policy, west.orders;
	// else they are those of the originals, and clusters flow together.
	Prefixed bool
	// Config is added to the properties and overrides them.
	Config   map[string]string
	Progress io.Writer // as in Options
}

// A Mirror is a process of MirrorMaker 2. Methods may be called from any goroutine. It
// must be closed, though the end of the process does that too.
type Mirror struct {
	dir   string
	dog   *watchdog
	order watchOrder
}

// target is MirrorMaker's name of the cluster that is copied to.
const target = "target"

// StartMirror starts MirrorMaker 2. It returns at once: the first messages come after
// ten seconds or, on a busy machine, after more than a minute.
func StartMirror(ctx context.Context, o MirrorOptions) (*Mirror, error) {
	libs, err := mirrorJars.get(ctx, o.Progress)
	if err != nil {
		return nil, err
	}
	java, err := java()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "chaperone-mirror-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "mm2.properties")
	if err := os.WriteFile(file, []byte(o.properties()), 0o600); err != nil {
		return nil, err
	}
	m := &Mirror{dir: dir, order: watchOrder{Do: "start", Log: filepath.Join(dir, "mirror.log"), Remove: dir, Args: []string{java, "-Xmx512m",
		"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.connect.mirror.Scheduler=error",
		"-cp", filepath.Join(libs, "*"), "org.apache.kafka.connect.mirror.MirrorMaker", file}}}
	if m.dog, err = startWatchdog(); err != nil {
		return nil, err
	}
	if err := m.dog.do(m.order); err != nil {
		m.Close()
		return nil, fmt.Errorf("start MirrorMaker 2: %w", err)
	}
	return m, nil
}

func (o *MirrorOptions) properties() string {
	names := slices.Sorted(maps.Keys(o.From))
	p := map[string]string{
		"clusters":                    strings.Join(append(slices.Clone(names), target), ","),
		target + ".bootstrap.servers": strings.Join(o.To, ","),
		// Otherwise what tests would have to wait for takes minutes.
		"refresh.topics.interval.seconds": "5", "offset.flush.interval.ms": "1000", "offset-syncs.topic.replication.factor": "1",
		"replication.factor": "1", "checkpoints.topic.replication.factor": "1", "heartbeats.topic.replication.factor": "1",
		"offset.storage.replication.factor": "1", "status.storage.replication.factor": "1", "config.storage.replication.factor": "1",
		"emit.heartbeats.enabled": "false", "emit.checkpoints.enabled": "false", "dedicated.mode.enable.internal.rest": "false",
	}
	for _, name := range names {
		flow := name + "->" + target
		p[name+".bootstrap.servers"] = strings.Join(o.From[name], ",")
		p[flow+".enabled"] = "true"
		p[flow+".topics"] = strings.Join(o.Topics, ",")
		p[target+"->"+name+".enabled"] = "false"
	}
	if !o.Prefixed {
		p["replication.policy.class"] = "org.apache.kafka.connect.mirror.IdentityReplicationPolicy"
	}
	maps.Copy(p, o.Config)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s = %s\n", k, p[k])
	}
	return b.String()
}

// Stop ends it as an operator would, Kill by SIGKILL; Restart starts it again.
func (m *Mirror) Stop() error    { return m.dog.do(watchOrder{Do: "term"}) }
func (m *Mirror) Kill() error    { return m.dog.do(watchOrder{Do: "kill"}) }
func (m *Mirror) Restart() error { return m.dog.do(m.order) }

// Log is the end of its log.
func (m *Mirror) Log() string {
	b, err := os.ReadFile(m.order.Log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-tail):])
}

// Close ends it and removes what it had.
func (m *Mirror) Close() {
	m.dog.close()
	_ = os.RemoveAll(m.dir)
}
