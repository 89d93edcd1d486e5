package config

import (
	_ "embed"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/codecs"
)

// Annotated is chaperone.yml: every key with its default and what it means.
//
//go:embed chaperone.yml
var Annotated string

// Default is a configuration that audits out of the box: all topics of one
// embedded broker, into an embedded ClickHouse.
func Default() Config {
	const day = 24 * time.Hour
	return Config{
		Clusters: []Cluster{{Name: "local", Tier: "regional", Datacenter: "local"}},
		Audit: Audit{
			Prefix: "chaperone", Shards: 64, Partitions: 16, Retention: 7 * day,
			Replicas: -1, SessionTimeout: 15 * time.Second,
		},
		Topics: Topics{
			Include: []string{".*"},
			Exclude: []string{"__.*", "_schemas", "heartbeats", `.*\.internal`},
			Poll:    10 * time.Second,
			Start:   Earliest,
		},
		Windows: Windows{Size: 10 * time.Minute, Past: codecs.DefaultPast, Future: codecs.DefaultFuture},
		Count: Count{
			Reader: InPlace, Flush: time.Second, RowsPerSecond: 20000, WindowsPerSegment: 64, MaxPending: 1000,
			Progress: 2 * time.Second, DisplayGroup: "chaperone-display",
		},
		Collect: Collect{Horizon: 2 * day},
		Alerts: Alerts{
			Mode: string(alerts.Off), Span: alerts.DefaultSpan, Wait: alerts.DefaultWait, Update: alerts.DefaultUpdate, DefaultRules: true,
		},
		Views: Views{Detail: 6 * time.Hour},
		Store: Store{
			Kind: ClickHouse, Database: "chaperone", TTL: 30 * day,
			BatchRows: 10000, BatchAge: time.Second, Timeout: 30 * time.Second,
		},
		HTTP:     HTTP{Addr: ":9000", MaxBody: 16 << 20},
		Embedded: Embedded{Dir: "chaperone-data", KafkaAddr: "127.0.0.1:9092", ClickHouseAddr: "127.0.0.1:8123"},
		Log:      Log{Level: "info", Format: "text"},
	}
}
