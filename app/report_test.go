package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/api/client"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/reportertest"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// onTheTopic reads the audit topic from its beginning to its end.
func (d *deployment) onTheTopic() (records []*audit.Record) {
	d.t.Helper()
	c, err := sarama.NewClient(d.app.Brokers(), sarama.NewConfig())
	must(d.t, err)
	defer c.Close()
	reader, err := sarama.NewConsumerFromClient(c)
	must(d.t, err)
	topic := string(d.app.Topology().AuditTopic())
	for p := range d.app.Topology().Partitions {
		end, err := c.GetOffset(topic, p, sarama.OffsetNewest)
		must(d.t, err)
		if end == 0 {
			continue
		}
		messages, err := reader.ConsumePartition(topic, p, sarama.OffsetOldest)
		must(d.t, err)
		for m := range messages.Messages() {
			r, err := audit.Decode(m.Value)
			must(d.t, err)
			records = append(records, r)
			if m.Offset == end-1 {
				break
			}
		}
		_ = messages.Close()
	}
	return records
}

func TestTheEndpointKeepsTheContractOfReporters(t *testing.T) {
	d := deployWith(t, kafkatest.Kfake(t), func(c *config.Config) {
		c.Store.Kind, c.HTTP.Token = config.Memory, "tomato"
	})
	reportertest.Run(t, func(*testing.T) (audit.Reporter, func() []*audit.Record) {
		return audit.HTTP("http://"+d.app.Addr(), audit.HTTPOptions{Token: "tomato"}), d.onTheTopic
	})
	t.Run("without the token", func(t *testing.T) {
		reportertest.Down(t, func(*testing.T) audit.Reporter { return audit.HTTP("http://"+d.app.Addr(), audit.HTTPOptions{}) })
	})
}

// applications are instances of a tier that counts the windows of a topic, each three
// times as a client does: all of it, not what has come since.
type applications struct {
	topic     string
	instances int
	windows   []audit.Window
}

func (a *applications) reports() (list []*audit.Record) {
	for i := range a.instances {
		name := fmt.Sprintf("app-%d", i)
		for _, w := range a.windows {
			for version := range int64(3) {
				r := &audit.Record{Kind: audit.KindWindow, Version: version + 1, Owner: name, Host: "h",
					Identity: audit.Identity{Tier: "client", Topic: a.topic, Partition: audit.NoPartition, Instance: name, Window: w},
					Tally:    &audit.WindowTally{First: -1, Last: -1},
					Client:   &audit.ClientCount{}}
				r.Tally.Count = uint64(i) + 10*uint64(version)
				r.Tally.Bytes, r.Client.Attempts, r.Client.Successes = 100*r.Tally.Count, r.Tally.Count, r.Tally.Count
				list = append(list, r)
			}
		}
	}
	return list
}

// total is what a window of all instances holds.
func (a *applications) total() uint64 {
	n := uint64(a.instances)
	return n*(n-1)/2 + 20*n
}

// differ says how what is told of the windows differs from what they hold.
func (a *applications) differ(got map[int64]uint64) string {
	for _, w := range a.windows {
		if got[w.Start] != a.total() {
			return fmt.Sprintf("window %d has %d, want %d", w.Start, got[w.Start], a.total())
		}
	}
	if len(got) != len(a.windows) {
		return fmt.Sprintf("there are %d windows", len(got))
	}
	return ""
}

func (d *deployment) eventually(what string, differ func() string) {
	d.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		wrong := differ()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s: %s", what, wrong)
		}
	}
}

// byREST gives the counts of the windows of a topic, of the last day.
func (d *deployment) byREST(topic string) (map[int64]uint64, error) {
	w, err := d.rest.Windows(d.t.Context(), topic, client.Query{Span: client.Span{From: time.Now().Add(-24 * time.Hour)}})
	if err != nil {
		return nil, err
	}
	got := map[int64]uint64{}
	for _, r := range w.Rows {
		got[r.Start.Unix()] += r.Count
	}
	return got, nil
}

// A thousand instances report, and everything that networks do to reports befalls them.
func reportInDisorder(t *testing.T, d *deployment, a *applications) {
	list := a.reports()
	list = append(list, list[:len(list)/2]...)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	portions := make(chan []*audit.Record, len(list))
	for len(list) > 0 {
		n := min(1+rand.IntN(200), len(list))
		portions <- list[:n]
		list = list[n:]
	}
	close(portions)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r := audit.HTTP("http://"+d.app.Addr(), audit.HTTPOptions{})
			for p := range portions {
				if err := r.Report(context.Background(), p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func manyApplications(topic string) *applications {
	now := time.Now().Unix() / 600 * 600
	// The second is older than the views show: of it the store tells.
	return &applications{topic: topic, instances: 1000, windows: []audit.Window{{Start: now, Size: 600}, {Start: now - 20*3600, Size: 600}}}
}

func TestAThousandInstancesAddUp(t *testing.T) {
	d := deployWith(t, kafkatest.Kfake(t), func(c *config.Config) { c.Store.Kind = config.Memory })
	a := manyApplications("posted")
	agree := func() string {
		got, err := d.byREST(a.topic)
		if err != nil {
			return err.Error()
		}
		return a.differ(got)
	}
	reportInDisorder(t, d, a)
	d.eventually("REST", agree)
	reportInDisorder(t, d, a) // once more, all of it
	d.eventually("collect has everything", func() string {
		if m := d.metrics(); m["collect_records_total"] != m["http_reported_records_total"] {
			return fmt.Sprintf("%v of %v records", m["collect_records_total"], m["http_reported_records_total"])
		}
		return ""
	})
	if wrong := agree(); wrong != "" {
		t.Errorf("after repetition: %s", wrong)
	}
	if m := d.metrics(); m["collect_emitted_total"] != 0 || m["collect_imbalances_total"] != 0 {
		t.Errorf("%v records came under another key, %v imbalances", m["collect_emitted_total"], m["collect_imbalances_total"])
	}
	w, err := d.rest.Windows(t.Context(), a.topic, client.Query{Tier: "client"})
	must(t, err)
	if len(w.Rows) != 1 || w.Rows[0].Sources != a.instances || w.Rows[0].Bytes != 100*a.total() {
		t.Errorf("got %+v", w.Rows)
	}
}

func TestAThousandInstancesAddUpInClickHouse(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the ClickHouse engine; not with -short")
	}
	s := engine(t, "", t.TempDir())
	d := deploy(t, kafkatest.Kfake(t), s)
	a := manyApplications("posted")
	reportInDisorder(t, d, a)
	sums := func(q string) (map[int64]uint64, string) {
		q = fmt.Sprintf(q, strings.ReplaceAll(d.app.Topology().Prefix, "-", "_"), a.topic)
		resp, err := http.Get("http://" + s.Addr() + "/?query=" + url.QueryEscape(q))
		must(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		got := map[int64]uint64{}
		for line := range strings.Lines(string(text)) {
			var start int64
			var n uint64
			if _, err := fmt.Sscan(line, &start, &n); err != nil {
				return nil, string(text)
			}
			got[start] = n
		}
		return got, ""
	}
	d.eventually("SQL", func() string {
		got, wrong := sums("SELECT toInt64(window_start), sum(messages) FROM %s.audit WHERE topic = '%s' GROUP BY 1 FORMAT TSV")
		if wrong != "" {
			return wrong
		}
		return a.differ(got)
	})
	d.eventually("a verdict of the window that has ended", func() string {
		got, wrong := sums("SELECT toInt64(window_start), toUInt64(judged_at > window) FROM %s.completeness WHERE topic = '%s' AND first_messages > 0 FORMAT TSV")
		if wrong == "" && got[a.windows[1].Start] == 0 {
			wrong = "there is none"
		}
		return wrong
	})
}

func TestARecordIsPostedAndAnswered(t *testing.T) {
	d := deployWith(t, kafkatest.Kfake(t), func(c *config.Config) { c.Store.Kind = config.Memory })
	start := time.Now().Unix() / 600 * 600
	post := func(body string) (int, string) {
		resp, err := http.Post("http://"+d.app.Addr()+"/api/v1/audit", "application/json", bytes.NewBufferString(body))
		must(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(b)
	}
	one := func(version, count int) string {
		return fmt.Sprintf(`{"v":1,"kind":"window","topicName":"curled","tier":"shop","instance":"shell","owner":"shell","version":%d,"timeBeginInSec":%d,"timeEndInSec":%d,"count":%d}`,
			version, start, start+600, count)
	}
	for _, body := range []string{one(3, 30), one(1, 10), "[" + one(2, 20) + "," + one(3, 30) + "]"} {
		if status, text := post(body); status != 200 || !strings.Contains(text, `{"accepted":`) {
			t.Fatalf("%d: %s", status, text)
		}
	}
	d.eventually("REST", func() string {
		if got, err := d.byREST("curled"); err != nil || got[start] != 30 {
			return fmt.Sprint(got, err)
		}
		return ""
	})
	status, text := post(strings.Replace(one(9, 9), `"instance"`, `"partition":0,"instance"`, 1))
	var problem struct{ Code string }
	if err := json.Unmarshal([]byte(text), &problem); status != 422 || problem.Code != "invalid_records" || err != nil {
		t.Errorf("%d: %s", status, text)
	}
	status, text = post(strings.Replace(one(9, 9), `"shop"`, `"regional"`, 1))
	if status != 422 || !strings.Contains(text, "that of a Kafka cluster") {
		t.Errorf("for the tier of a Kafka cluster: %d: %s", status, text)
	}
	if h := d.health(); !strings.Contains(h, `"inbox"`) {
		t.Errorf("health has no inbox: %s", h)
	}
}

func TestNothingIsPromisedWhileKafkaIsAway(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for timeouts; not with -short")
	}
	k := kafkatest.Kfake(t)
	d := deployWith(t, k, func(c *config.Config) { c.Store.Kind = config.Memory })
	window := audit.Window{Start: time.Now().Unix() / 600 * 600, Size: 600}
	r := (&applications{topic: "away", instances: 2, windows: []audit.Window{window}}).reports()
	must(t, k.Stop())
	_, err := d.rest.Report(t.Context(), r[0])
	if p, ok := errors.AsType[*v1.Problem](err); !ok || p.Status != http.StatusServiceUnavailable {
		t.Errorf("got %v", err)
	}
	if h := d.health(); !strings.Contains(h, "does not acknowledge the records that applications report") {
		t.Errorf("health does not say it: %s", h)
	}
	must(t, k.Restart(t.Context()))
	d.eventually("it is taken", func() string {
		if _, err := d.rest.Report(t.Context(), r...); err != nil {
			return err.Error()
		}
		return ""
	})
	d.eventually("REST", func() string {
		if got, err := d.byREST("away"); err != nil || got[window.Start] != 41 {
			return fmt.Sprint(got, err)
		}
		return ""
	})
}
