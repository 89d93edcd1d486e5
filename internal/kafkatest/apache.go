package kafkatest

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
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
	quorum  *quorum
	node    int    // Kafka's id of it
	dir     string // holds data, properties and log
	own     bool   // dir is ours to remove
	dog     *watchdog
	closing sync.Once

	mu         sync.Mutex // one start or stop at a time
	port       int
	controller int   // port
	back       int   // second port, behind the proxy
	front      int   // port of the proxy
	logFrom    int64 // where the log of the present run begins
}

func (a *apache) addr() string    { return loopback(a.port) }
func (a *apache) logFile() string { return filepath.Join(a.dir, "broker.log") }

// start starts the broker, unless it runs, and waits until it answers as a
// member of its cluster that knows of so many.
func (a *apache) start(ctx context.Context, members int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if pid, _, _ := a.dog.running(); pid == 0 {
		if err := a.launch(ctx); err != nil {
			return err
		}
	} else if err := a.dog.do(watchOrder{Do: "resume"}); err != nil {
		return err
	}
	return a.wait(ctx, members)
}

func (a *apache) launch(ctx context.Context) error {
	if err := a.format(ctx); err != nil {
		return err
	}
	heap := a.opts.Heap
	if heap == "" {
		heap = "512m"
	}
	order := watchOrder{Do: "start", Log: a.logFile(), Args: []string{a.quorum.java, "-Xmx" + heap,
		"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn", "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn",
		"-Dorg.slf4j.simpleLogger.log.org.apache.kafka.clients=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-cp", filepath.Join(a.quorum.libs, "*"), "kafka.Kafka", a.propertiesFile()}}
	if a.own {
		order.Remove = a.dir
	}
	if info, err := os.Stat(a.logFile()); err == nil {
		a.logFrom = info.Size()
	}
	return a.dog.do(order)
}

// wait waits until the broker answers, and kills it if that takes too long.
func (a *apache) wait(ctx context.Context, members int) error {
	_, ended, _ := a.dog.running()
	client, err := kgo.NewClient(kgo.SeedBrokers(a.addr()), kgo.RetryTimeout(time.Second), kgo.RequestRetries(1), kgo.DialTimeout(time.Second))
	if err != nil {
		return fmt.Errorf("client of %s: %w", a.addr(), err)
	}
	defer client.Close()
	for {
		err := a.answers(ctx, client.SeedBrokers()[0], members)
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			_, _, how := a.dog.running()
			if strings.Contains(a.logSince(a.logFrom, math.MaxInt64), "Address already in use") {
				return fmt.Errorf("%w (%d or %d)", errPortTaken, a.port, a.controller)
			}
			return fmt.Errorf("broker ended (%s); the end of its log:\n%s", how, a.logSince(a.logFrom, tail))
		case <-ctx.Done():
			a.dog.do(watchOrder{Do: "kill"})
			return fmt.Errorf("wait for the broker at %s to answer: %w (%v); the end of its log:\n%s", a.addr(), ctx.Err(), err, a.logSince(a.logFrom, tail))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// answers asks the broker for itself. The cluster id guards against another
// process's broker on the port, the list of brokers against one that the
// controller has not admitted yet.
func (a *apache) answers(ctx context.Context, broker *kgo.Broker, members int) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	resp, err := req.RequestWith(ctx, broker)
	switch {
	case err != nil:
		return err
	case resp.ClusterID == nil || *resp.ClusterID != a.quorum.id:
		return fmt.Errorf("cluster at %s is %v, not ours (%s)", a.addr(), resp.ClusterID, a.quorum.id)
	case len(resp.Brokers) < members || !slices.ContainsFunc(resp.Brokers, func(b kmsg.MetadataResponseBroker) bool { return int(b.NodeID) == a.node }):
		return fmt.Errorf("%d brokers admitted, not all of them or not this one", len(resp.Brokers))
	}
	cfg := kmsg.NewPtrDescribeConfigsRequest()
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName, res.ConfigNames = kmsg.ConfigResourceTypeBroker, strconv.Itoa(a.node), []string{"node.id"}
	cfg.Resources = append(cfg.Resources, res)
	described, err := cfg.RequestWith(ctx, broker)
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

func (a *apache) pause() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dog.do(watchOrder{Do: "pause"})
}

func (a *apache) resume() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dog.do(watchOrder{Do: "resume"})
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

func (a *apache) logTail() string { return a.logSince(0, tail) }

// tail is how much of a log people are shown.
const tail = 8 << 10

// logSince is at most the last bytes of the broker's log from a position on.
func (a *apache) logSince(from, most int64) string {
	f, err := os.Open(a.logFile())
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		f.Seek(max(from, size-most), io.SeekStart)
	}
	b, _ := io.ReadAll(f)
	return string(b)
}
