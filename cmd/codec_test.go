package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

func TestCodecTryReadsATopic(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		orders, stamped := kafkatest.Name(t, "orders"), kafkatest.Name(t, "stamped")
		for topic, config := range map[string]map[string]string{orders: nil, stamped: {"message.timestamp.type": "LogAppendTime"}} {
			if err := c.CreateTopic(t.Context(), topic, 2, config); err != nil {
				t.Fatal(err)
			}
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		at := time.Now().Truncate(time.Millisecond).UTC()
		header := []kgo.RecordHeader{{Key: "chaperone-time", Value: []byte("1795285200123")}, {Key: "null", Value: nil}}
		if err := client.ProduceSync(t.Context(),
			&kgo.Record{Topic: orders, Partition: 1, Timestamp: at, Value: []byte(`{"old":true}`)},
			&kgo.Record{Topic: orders, Partition: 1, Timestamp: at, Headers: header, Value: []byte(`{"ts":1}`)},
			&kgo.Record{Topic: orders, Partition: 1, Timestamp: at, Value: nil},
			&kgo.Record{Topic: stamped, Timestamp: at, Value: []byte(`x`)},
		).FirstErr(); err != nil {
			t.Fatal(err)
		}
		try := func(args ...string) string {
			t.Helper()
			status, out, errs := chaperone(nil, append([]string{"codec", "try", "--brokers", strings.Join(c.Brokers(), ","), "--wait", "2s", "--set", "windows.past=1000000h"}, args...)...)
			if status != 0 {
				t.Fatalf("status %d: %s", status, errs)
			}
			return strings.Join(strings.Fields(out), " ") // columns are of no matter here
		}
		out := try("--topic", orders, "-n", "2", "--codec", "header", "--codec", "create_time")
		for _, want := range []string{
			orders + "/1 offset 1, CreateTime " + at.Format("2006-01-02T15:04:05.000Z") + ", headers chaperone-time null, 8 bytes",
			"header 2026-11-21T18:20:00.123Z", "create_time " + at.Format("2006-01-02T15:04:05.000Z"),
			"configured: json 1970-01-01T00:00:01.000Z", "/1 offset 2, ", ", null ",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%q is not in\n%s", want, out)
			}
		}
		if strings.Contains(out, "offset 0") {
			t.Errorf("too much is read:\n%s", out)
		}
		if out := try("--topic", orders, "-n", "1", "--earliest", "--codec", "json"); !strings.Contains(out, "offset 0") || strings.Contains(out, "offset 1") {
			t.Errorf("the oldest are\n%s", out)
		}
		if strings.HasSuffix(t.Name(), "/apache") { // kfake knows no LogAppendTime
			if out := try("--topic", stamped, "--codec", "append_time", "--codec", "create_time"); !strings.Contains(out, "LogAppendTime") || !strings.Contains(out, "create_time no time") {
				t.Errorf("who set the timestamp is not told: %s", out)
			}
		}
	})
}
