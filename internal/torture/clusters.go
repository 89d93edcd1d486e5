package torture

import (
	"context"
	"sync"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// startClusters starts both clusters. On an error those that run are given too.
func startClusters(ctx context.Context, o *Options) (map[string]*kafkatest.Cluster, error) {
	clusters, errs := map[string]*kafkatest.Cluster{}, map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range []string{home, away} {
		wg.Go(func() {
			c, err := startCluster(ctx, o, name)
			mu.Lock()
			defer mu.Unlock()
			if c != nil {
				clusters[name] = c
			}
			errs[name] = err
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return clusters, err
		}
	}
	return clusters, nil
}

func startCluster(ctx context.Context, o *Options, name string) (*kafkatest.Cluster, error) {
	if o.Kafka == Kfake {
		return kafkatest.StartKfakeWith(kafkatest.Options{Proxied: true}, nil)
	}
	nodes := 1
	if name == home {
		nodes = o.Nodes
	}
	return kafkatest.Start(ctx, kafkatest.Options{Nodes: nodes, Proxied: true, Progress: o.Say, Config: map[string]string{
		"log.cleaner.backoff.ms": "500", // so that what is compacted is soon
	}})
}
