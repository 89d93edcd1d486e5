package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/chaperone-audit/chaperone/internal/embedded/kafka"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// A region is a datacenter with its Kafka cluster.
type region struct {
	name    string
	brokers []string
}

// clusters are the Kafka clusters that do not come with chaperone: those of the regions
// and, if they are real ones, the aggregate and MirrorMaker 2.
type clusters struct {
	regions   []region
	aggregate []string // brokers; none for the embedded broker of standalone
	stops     []func()
}

func (c *clusters) stop() {
	for i := len(c.stops) - 1; i >= 0; i-- {
		c.stops[i]()
	}
}

var regionNames = []string{"west", "east"}

// startEmbedded starts a broker in this process for each region.
func startEmbedded(dir string, log *slog.Logger) (*clusters, error) {
	c := &clusters{}
	for _, name := range regionNames {
		b, err := kafka.Start(kafka.Options{Dir: filepath.Join(dir, name), Addr: "127.0.0.1:0", Log: log})
		if err != nil {
			c.stop()
			return nil, err
		}
		c.stops = append(c.stops, b.Stop)
		c.regions = append(c.regions, region{name, b.Brokers()})
	}
	return c, nil
}

// startReal starts three clusters of Apache Kafka, and MirrorMaker 2 between them.
func startReal(ctx context.Context) (*clusters, error) {
	c := &clusters{}
	mirror := kafkatest.MirrorOptions{From: map[string][]string{}, Topics: topics, Progress: os.Stdout}
	for _, name := range append(append([]string{}, regionNames...), tierAggregate) {
		fmt.Printf("starting Apache Kafka %s for %s\n", kafkatest.Version, name)
		k, err := kafkatest.Start(ctx, kafkatest.Options{Heap: "384m", Progress: os.Stdout})
		if err != nil {
			c.stop()
			return nil, err
		}
		c.stops = append(c.stops, k.Close)
		if err := makeTopics(ctx, k.Brokers()); err != nil {
			c.stop()
			return nil, err
		}
		if name == tierAggregate {
			c.aggregate = k.Brokers()
			continue
		}
		c.regions = append(c.regions, region{name, k.Brokers()})
		mirror.From[name] = k.Brokers()
	}
	mirror.To = c.aggregate
	fmt.Println("starting MirrorMaker 2: its first messages take up to a minute and a half")
	m, err := kafkatest.StartMirror(ctx, mirror)
	if err != nil {
		c.stop()
		return nil, err
	}
	c.stops = append(c.stops, m.Close)
	return c, nil
}
