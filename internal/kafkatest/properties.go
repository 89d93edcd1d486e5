package kafkatest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// properties of the broker. Retention is off because tests write records with
// timestamps in the past, which it would delete.
func (a *apache) properties() string {
	replicas := min(3, len(a.quorum.nodes))
	inSync := max(1, replicas-1) // so that one of three may be away
	p := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          strconv.Itoa(a.node),
		"controller.quorum.voters":                         a.quorum.voters(),
		"controller.listener.names":                        "CONTROLLER",
		"listeners":                                        "PLAINTEXT://" + a.addr() + ",CONTROLLER://" + loopback(a.controller),
		"advertised.listeners":                             "PLAINTEXT://" + a.addr(),
		"log.dirs":                                         a.data(),
		"default.replication.factor":                       strconv.Itoa(replicas),
		"min.insync.replicas":                              strconv.Itoa(inSync),
		"offsets.topic.replication.factor":                 strconv.Itoa(replicas),
		"offsets.topic.num.partitions":                     "4",
		"transaction.state.log.replication.factor":         strconv.Itoa(replicas),
		"transaction.state.log.min.isr":                    strconv.Itoa(inSync),
		"transaction.state.log.num.partitions":             "4",
		"share.coordinator.state.topic.replication.factor": strconv.Itoa(replicas),
		"share.coordinator.state.topic.min.isr":            strconv.Itoa(inSync),
		"group.initial.rebalance.delay.ms":                 "0",
		"log.retention.ms":                                 "-1",
	}
	if a.opts.Proxied {
		p["listeners"] += ",PROXIED://" + loopback(a.back)
		p["advertised.listeners"] += ",PROXIED://" + loopback(a.front)
		p["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT"
		p["inter.broker.listener.name"] = "PLAINTEXT"
		p["socket.listen.backlog.size"] = "1000" // or else the proxy waits to connect to a paused node
	}
	maps.Copy(p, a.opts.Config)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		// A properties file reads a backslash as an escape.
		fmt.Fprintf(&b, "%s=%s\n", k, strings.ReplaceAll(p[k], `\`, `\\`))
	}
	return b.String()
}

func (a *apache) propertiesFile() string { return filepath.Join(a.dir, "server.properties") }
func (a *apache) data() string           { return filepath.Join(a.dir, "data") }

// formattedFor is the id of the cluster that the data folder belongs to, empty
// if it belongs to none yet.
func (a *apache) formattedFor() (cluster string) {
	meta, err := os.ReadFile(filepath.Join(a.data(), "meta.properties"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(meta)) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "cluster.id="); ok {
			cluster = id
		}
	}
	return cluster
}

// format makes the data folder what a broker expects, unless an earlier
// cluster has.
func (a *apache) format(ctx context.Context) error {
	if err := os.MkdirAll(a.data(), 0o755); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	if err := os.WriteFile(a.propertiesFile(), []byte(a.properties()), 0o644); err != nil {
		return fmt.Errorf("write properties: %w", err)
	}
	if a.formattedFor() != "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, a.quorum.java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(a.quorum.libs, "*"),
		"kafka.tools.StorageTool", "format", "-t", a.quorum.id, "-c", a.propertiesFile())
	cmd.SysProcAttr = childAttr()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format %s: %w\n%s", a.data(), err, out)
	}
	return nil
}
