package kafkatest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	mrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// apache is a server that is a process of Apache Kafka, broker and controller
// in one.
type apache struct {
	opts    Options
	java    string
	libs    string
	dir     string // holds data, properties and log
	own     bool   // dir is ours to remove
	id      string // of the cluster
	dog     *watchdog
	closing sync.Once

	mu         sync.Mutex // one start or stop at a time
	port       int
	controller int   // port
	logFrom    int64 // where the log of the present run begins
}

// errPortTaken says that another process was faster.
var errPortTaken = errors.New("port is taken")

func newApache(ctx context.Context, o Options) (a *apache, err error) {
	a = &apache{opts: o, dir: o.Dir}
	if a.java, err = java(); err != nil {
		return nil, err
	}
	if a.libs, err = Jars(ctx, o.Progress); err != nil {
		return nil, err
	}
	if a.dir != "" {
		if a.dir, err = filepath.Abs(a.dir); err != nil {
			return nil, fmt.Errorf("folder for Apache Kafka: %w", err)
		}
	} else {
		a.own = true
		if a.dir, err = os.MkdirTemp("", "chaperone-kafka-"); err != nil {
			return nil, fmt.Errorf("make folder for Apache Kafka: %w", err)
		}
	}
	if a.dog, err = startWatchdog(); err != nil {
		a.close()
		return nil, err
	}
	// Free ports are found by trying, and another process may try the same.
	for range 10 {
		if err = a.choosePorts(); err == nil {
			if err = a.format(ctx); err == nil {
				err = a.start(ctx)
			}
		}
		if !errors.Is(err, errPortTaken) || o.Port != 0 {
			break
		}
	}
	if err != nil {
		a.close()
		if errors.Is(err, errPortTaken) && o.Port != 0 {
			return nil, fmt.Errorf("start Apache Kafka: port %d on 127.0.0.1 is taken; stop what uses it, or choose another: %w", o.Port, err)
		}
		return nil, fmt.Errorf("start Apache Kafka: %w", err)
	}
	return a, nil
}

func (a *apache) choosePorts() (err error) {
	if a.port = a.opts.Port; a.port == 0 {
		if a.port, err = freePort(); err != nil {
			return err
		}
	} else if !isFree(a.port) {
		return errPortTaken
	}
	for a.controller = a.port; a.controller == a.port; {
		if a.controller, err = freePort(); err != nil {
			return err
		}
	}
	return nil
}

// freePort finds a port below those that systems give to outgoing connections
// (from 32768 on Linux), so that nothing takes it while a broker is restarted.
func freePort() (int, error) {
	for range 1000 {
		if p := 15000 + mrand.IntN(17000); isFree(p) {
			return p, nil
		}
	}
	return 0, errors.New("find a free port between 15000 and 32000: all tried are taken")
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (a *apache) addr() string    { return loopback(a.port) }
func (a *apache) logFile() string { return filepath.Join(a.dir, "broker.log") }

// properties of the broker. Retention is off because tests write records with
// timestamps in the past, which it would delete.
func (a *apache) properties() string {
	p := map[string]string{
		"process.roles":                                    "broker,controller",
		"node.id":                                          "1",
		"controller.quorum.voters":                         "1@" + loopback(a.controller),
		"controller.listener.names":                        "CONTROLLER",
		"listeners":                                        "PLAINTEXT://" + a.addr() + ",CONTROLLER://" + loopback(a.controller),
		"advertised.listeners":                             "PLAINTEXT://" + a.addr(),
		"log.dirs":                                         filepath.Join(a.dir, "data"),
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "4",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"transaction.state.log.num.partitions":             "4",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",
		"log.retention.ms":                                 "-1",
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

// format makes the data folder what a broker expects, unless an earlier
// cluster has.
func (a *apache) format(ctx context.Context) error {
	data := filepath.Join(a.dir, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	if err := os.WriteFile(a.propertiesFile(), []byte(a.properties()), 0o644); err != nil {
		return fmt.Errorf("write properties: %w", err)
	}
	if meta, err := os.ReadFile(filepath.Join(data, "meta.properties")); err == nil {
		for line := range strings.Lines(string(meta)) {
			if id, ok := strings.CutPrefix(strings.TrimSpace(line), "cluster.id="); ok {
				a.id = id
			}
		}
		return nil
	}
	var id [16]byte
	rand.Read(id[:])
	id[0] &= 0x7f // no leading dash, which would look like an option
	a.id = base64.RawURLEncoding.EncodeToString(id[:])
	cmd := exec.CommandContext(ctx, a.java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(a.libs, "*"),
		"kafka.tools.StorageTool", "format", "-t", a.id, "-c", a.propertiesFile())
	cmd.SysProcAttr = childAttr()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("format %s: %w\n%s", data, err, out)
	}
	return nil
}

// start starts the broker and waits until it answers as the cluster that it is.
func (a *apache) start(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	heap := a.opts.Heap
	if heap == "" {
		heap = "512m"
	}
	order := watchOrder{Do: "start", Log: a.logFile(), Args: []string{a.java, "-Xmx" + heap,
		"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn", "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn",
		"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.clients=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-cp", filepath.Join(a.libs, "*"), "kafka.Kafka", a.propertiesFile()}}
	if a.own {
		order.Remove = a.dir
	}
	if info, err := os.Stat(a.logFile()); err == nil {
		a.logFrom = info.Size()
	}
	if err := a.dog.do(order); err != nil {
		return err
	}
	_, ended, _ := a.dog.running()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.addr()), kgo.RetryTimeout(time.Second), kgo.RequestRetries(1), kgo.DialTimeout(time.Second))
	if err != nil {
		return fmt.Errorf("client of %s: %w", a.addr(), err)
	}
	defer client.Close()
	for {
		err := a.answers(ctx, client)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			_, _, how := a.dog.running()
			tail := a.logSince(a.logFrom)
			if strings.Contains(tail, "Address already in use") {
				return fmt.Errorf("%w (%d or %d)", errPortTaken, a.port, a.controller)
			}
			return fmt.Errorf("broker ended (%s); the end of its log:\n%s", how, tail)
		case <-ctx.Done():
			a.dog.do(watchOrder{Do: "kill"})
			return fmt.Errorf("wait for the broker at %s to answer: %w (%v); the end of its log:\n%s", a.addr(), ctx.Err(), err, a.logSince(a.logFrom))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// answers asks the broker for itself. The cluster id guards against another
// process's broker on the port, the list of brokers against one that the
// controller has not admitted yet.
func (a *apache) answers(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	resp, err := req.RequestWith(ctx, client)
	switch {
	case err != nil:
		return err
	case resp.ClusterID == nil || *resp.ClusterID != a.id:
		return fmt.Errorf("cluster at %s is %v, not ours (%s)", a.addr(), resp.ClusterID, a.id)
	case len(resp.Brokers) != 1:
		return fmt.Errorf("%d brokers registered", len(resp.Brokers))
	}
	cfg := kmsg.NewPtrDescribeConfigsRequest()
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName, res.ConfigNames = kmsg.ConfigResourceTypeBroker, "1", []string{"node.id"}
	cfg.Resources = append(cfg.Resources, res)
	described, err := cfg.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(described.Resources[0].ErrorCode)
}

func (a *apache) stop() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dog.do(watchOrder{Do: "term"})
}

func (a *apache) kill() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dog.do(watchOrder{Do: "kill"})
}

func (a *apache) close() {
	a.closing.Do(func() {
		if a.dog != nil {
			a.dog.close()
		}
		if a.own {
			os.RemoveAll(a.dir)
		}
	})
}

func (a *apache) logTail() string { return a.logSince(0) }

// logSince is at most the last 8 kB of the broker's log from a position on.
func (a *apache) logSince(from int64) string {
	f, err := os.Open(a.logFile())
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	defer f.Close()
	const most = 8 << 10
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		f.Seek(max(from, size-most), io.SeekStart)
	}
	b, _ := io.ReadAll(f)
	return string(b)
}
