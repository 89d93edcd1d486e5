package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Options says what to start. The zero value is one broker in memory on a free
// port.
type Options struct {
	// Addr is host:port of the first broker; the host must be loopback. Port 0
	// or an empty Addr takes a free port. It is also the advertised address, so
	// that what a user gives to console tools keeps working.
	Addr string
	// Brokers is how many to start, 1 if 0. With a fixed port they take the
	// ports that follow it.
	Brokers int
	// Dir keeps topics (with their ids), records, groups and settings across
	// restarts; empty keeps them in memory. One broker at a time may use it.
	Dir string
	// Log hears of faults inside the broker; nil is silent.
	Log *slog.Logger
	// Listen makes the listener of a broker, overriding net.Listen, for tests that
	// put something between the broker and its clients.
	Listen func(network, address string) (net.Listener, error)
}

// A Broker is a running embedded broker, or several that form one cluster.
// Methods may be called from any goroutine.
type Broker struct {
	cluster *kfake.Cluster
	addrs   []string
	lock    *os.File // held while running; nil without Dir
	stop    sync.Once
}

// Start starts the broker, which answers when Start returns. Don't forget to
// Stop it: only then is everything in Dir written out.
func Start(o Options) (*Broker, error) {
	host, port, err := loopback(o.Addr)
	if err != nil {
		return nil, fmt.Errorf("embedded kafka: %w", err)
	}
	listen := o.Listen
	if listen == nil {
		listen = net.Listen
	}
	opts := []kfake.Opt{
		kfake.AllowAutoTopicCreation(), // as Apache Kafka has it by default,
		kfake.DefaultNumPartitions(1),  // with as many partitions
		kfake.BrokerConfigs(map[string]string{"default.replication.factor": "1"}),
		kfake.ClusterID("chaperone-embedded"),
		// kfake asks for 127.0.0.1; the host may be another loopback address.
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			_, p, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return listen(network, net.JoinHostPort(host, p))
		}),
	}
	// kfake's answer to DescribeTopicPartitions lacks a list that kafka-topics
	// reads; without the question, Java clients ask for metadata instead.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.DescribeTopicPartitions), -1)
	opts = append(opts, kfake.MaxVersions(versions))
	n := max(o.Brokers, 1)
	if port == 0 {
		opts = append(opts, kfake.NumBrokers(n))
	} else {
		ports := make([]int, n)
		for i := range ports {
			ports[i] = port + i
		}
		opts = append(opts, kfake.Ports(ports...))
	}
	if o.Log != nil {
		opts = append(opts, kfake.WithLogger(logger{o.Log.With("part", "embedded kafka")}))
	}
	b := &Broker{}
	if o.Dir != "" {
		if b.lock, err = lockDir(o.Dir); err != nil {
			return nil, fmt.Errorf("embedded kafka: %w", err)
		}
		opts = append(opts, kfake.DataDir(o.Dir))
	}
	b.cluster, err = kfake.NewCluster(opts...)
	if err != nil {
		b.unlock()
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return nil, fmt.Errorf("embedded kafka: port %d on %s is taken: another broker may be running there; stop it, choose another port, or give its address as the cluster to use: %w", port, host, err)
		case errors.Is(err, syscall.EACCES):
			return nil, fmt.Errorf("embedded kafka: no permission for %s or for port %d; choose a folder that you may write to, and a port above 1023: %w", o.Dir, port, err)
		}
		return nil, fmt.Errorf("embedded kafka: start with data in %q (if its files are damaged, remove the folder to start empty): %w", o.Dir, err)
	}
	stampAppendTime(b.cluster)
	keepAutoCreated(b.cluster)
	answerOffsetFetch(b.cluster)
	answerCreateTopics(b.cluster, n)
	if o.Dir != "" {
		b.cluster.Compact() // an hourly tick alone never comes in short runs
	}
	b.addrs = b.cluster.ListenAddrs()
	return b, nil
}

// Brokers are the addresses, host:port, to give to clients.
func (b *Broker) Brokers() []string { return append([]string(nil), b.addrs...) }

// Compact cleans all compacted topics now, instead of within the hour.
func (b *Broker) Compact() { b.cluster.Compact() }

// Stop ends the broker and writes out its data. Connections are cut. Stopping
// again does nothing.
func (b *Broker) Stop() {
	b.stop.Do(func() {
		b.cluster.Close()
		b.unlock()
	})
}

func (b *Broker) unlock() {
	if b.lock != nil {
		b.lock.Close()
	}
}

// loopback takes an address apart and refuses those that others could reach:
// the broker asks nobody for a password.
func loopback(addr string) (host string, port int, err error) {
	if addr == "" {
		return "127.0.0.1", 0, nil
	}
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: %w; want host:port, for example 127.0.0.1:9092", addr, err)
	}
	if port, err = strconv.Atoi(p); err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("address %q: port %q must be a number from 0 to 65535", addr, p)
	}
	switch host {
	case "", "localhost":
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", 0, fmt.Errorf("address %q is not loopback: the embedded broker has no access control and serves this machine only; use 127.0.0.1, or run Apache Kafka", addr)
	}
	return host, port, nil
}

// lockDir makes the folder and takes it for this process. The lock goes with
// the process, however it ends.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make data folder: %w; choose one that you may write to", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w; choose one that you may write to", err)
	}
	if err := tryLock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("data folder %s is in use by another broker; stop it, or choose another folder: %w", dir, err)
	}
	return f, nil
}

// logger passes kfake's warnings on. What it calls info is every request.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error(fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn(fmt.Sprintf(format, args...))
	}
}
