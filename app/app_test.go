package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/api/client"
	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/internal/produce"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

func TestMain(m *testing.M) {
	clickhouse.RunChildIfAsked()
	os.Exit(m.Run())
}

// deployment is chaperone in this process, on a cluster that is not its own.
type deployment struct {
	t     *testing.T
	app   *app.App
	rest  *client.Client
	truth map[produce.Key]produce.Counts
	topic string
}

func deploy(t *testing.T, c *kafkatest.Cluster, engine *clickhouse.Server) *deployment {
	t.Helper()
	return deployWith(t, c, func(cfg *config.Config) {
		cfg.Store.DSN = config.DSN(engine.DSN())
		cfg.Store.Database = strings.ReplaceAll(cfg.Audit.Prefix, "-", "_")
		cfg.Store.Timeout = 5 * time.Second
	})
}

func deployWith(t *testing.T, c *kafkatest.Cluster, change func(*config.Config)) *deployment {
	t.Helper()
	topic := kafkatest.Name(t, "app-orders")
	cfg := config.Default()
	cfg.Clusters[0].Brokers = c.Brokers()
	cfg.Audit.Prefix = kafkatest.Name(t, "app")
	cfg.Audit.Shards, cfg.Audit.Partitions = 8, 4
	cfg.Audit.SessionTimeout = 6 * time.Second
	cfg.Topics.Include = []string{topic}
	cfg.Topics.Poll = 200 * time.Millisecond
	cfg.Count.Flush, cfg.Count.Progress = 200*time.Millisecond, 500*time.Millisecond
	cfg.HTTP.Addr = "127.0.0.1:0"
	cfg.Memory.Limit = 256 << 20 // so that every bound is a tight one
	change(&cfg)
	level := slog.LevelError
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	a, err := app.New(t.Context(), app.Options{Config: &cfg, Parts: app.All(), Judged: judged{}, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, shards.ErrLeft) { // a store may have ended before
			t.Errorf("run: %v", err)
		}
	})
	rest, err := client.New("http://"+a.Addr(), nil)
	must(t, err)
	return &deployment{t: t, app: a, rest: rest, truth: map[produce.Key]produce.Counts{}, topic: topic}
}

func engine(t *testing.T, addr, dir string) *clickhouse.Server {
	t.Helper()
	library, err := clickhouse.Library(t.Context(), clickhouse.LibraryOptions{Progress: os.Stderr})
	must(t, err)
	s, err := clickhouse.Start(t.Context(), clickhouse.Options{Addr: addr, Dir: dir, Library: library})
	must(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

// write lets the generator write, and adds to the truth.
func (d *deployment) write(n int64, seed uint64) {
	d.t.Helper()
	g, err := produce.New(produce.Config{Brokers: d.app.Brokers(), Topics: []produce.Topic{{Name: d.topic, Partitions: 3}}, Create: true,
		Total: n, Disorder: 15 * time.Minute, NoTime: 0.05, Malformed: 0.05, Seed: seed})
	must(d.t, err)
	must(d.t, g.Run(d.t.Context()))
	for k, n := range produce.ByKey(g.Truth()) {
		sum := d.truth[k]
		sum.Count += n.Count
		sum.Bytes += n.Bytes
		sum.NoTime += n.NoTime
		d.truth[k] = sum
	}
}

func (d *deployment) served() (map[produce.Key]produce.Counts, error) {
	w, err := d.rest.Windows(d.t.Context(), d.topic, client.Query{By: []string{"partition"}})
	if err != nil {
		return nil, err
	}
	got := map[produce.Key]produce.Counts{}
	for _, r := range w.Rows {
		k := produce.Key{Topic: d.topic, Partition: *r.Partition, Window: audit.Window{Start: r.Start.Unix(), Size: int64(r.End.Sub(r.Start).Seconds())}}
		got[k] = produce.Counts{Count: r.Count, Bytes: r.Bytes, NoTime: r.NoTime}
	}
	return got, nil
}

func (d *deployment) stored(s *clickhouse.Server) (map[produce.Key]produce.Counts, error) {
	q := fmt.Sprintf("SELECT partition, window_start, window_size, sum(messages) AS count, sum(bytes) AS bytes, sum(no_time) AS no_time FROM %s.audit WHERE topic = '%s' GROUP BY 1, 2, 3 FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0",
		strings.ReplaceAll(d.app.Topology().Prefix, "-", "_"), d.topic)
	resp, err := http.Get("http://" + s.Addr() + "/?query=" + url.QueryEscape(q))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("%s: %s", resp.Status, text)
	}
	got := map[produce.Key]produce.Counts{}
	for dec := json.NewDecoder(resp.Body); ; {
		var r struct {
			Partition    int32
			Start        int64 `json:"window_start"`
			Size         int64 `json:"window_size"`
			Count, Bytes uint64
			NoTime       uint64 `json:"no_time"`
		}
		if err := dec.Decode(&r); err == io.EOF {
			return got, nil
		} else if err != nil {
			return nil, err
		}
		got[produce.Key{Topic: d.topic, Partition: r.Partition, Window: audit.Window{Start: r.Start, Size: r.Size}}] = produce.Counts{Count: r.Count, Bytes: r.Bytes, NoTime: r.NoTime}
	}
}

func (d *deployment) agree(what string, ask func() (map[produce.Key]produce.Counts, error)) {
	d.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for {
		got, err := ask()
		wrong := produce.Differences(d.truth, got)
		if err == nil && len(wrong) == 0 {
			d.t.Logf("%s: %d windows agree", what, len(got))
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s: %v %v", what, err, wrong)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (d *deployment) health() string {
	resp, err := http.Get("http://" + d.app.Addr() + "/health")
	must(d.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(d.t, err)
	return fmt.Sprint(resp.StatusCode, " ", string(b))
}

// metrics is what /metrics says, summed over labels.
func (d *deployment) metrics() map[string]float64 {
	resp, err := http.Get("http://" + d.app.Addr() + "/metrics")
	must(d.t, err)
	defer resp.Body.Close()
	sum := map[string]float64{}
	for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
		name, value, _ := strings.Cut(scan.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); err == nil && strings.HasPrefix(name, "chaperone_") {
			name, _, _ = strings.Cut(name, "{")
			sum[strings.TrimPrefix(name, "chaperone_")] += n
		}
	}
	return sum
}

// balanced waits until the books of all parts are seen to balance, and the sums of
// so many sources are followed.
func (d *deployment) balanced(sources int) {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		m := d.metrics()
		count := m["count_consumed_total"] == m["count_messages_total"]+m["count_replayed_total"]+m["count_read_again_total"]+m["count_out_of_order_total"]+m["count_dropped_total"]
		sink := true
		for _, of := range []string{"sink", "verdict_sink"} {
			sink = sink && m[of+"_read_total"] == m[of+"_written_total"]+m[of+"_skipped_total"]+m[of+"_malformed_total"]+m[of+"_rejected_total"]+m[of+"_in_flight_records"]
		}
		if n := m["count_imbalances_total"] + m["collect_imbalances_total"] + m["sink_imbalances_total"] + m["verdict_sink_imbalances_total"]; n > 0 {
			d.t.Fatalf("%v imbalances: %s", n, d.health())
		}
		if count && sink && m["count_unstored_messages"] == 0 && m["collect_sources_followed"] == float64(sources) {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("the books do not balance: count %t, sink %t, want %d sources followed: %v", count, sink, sources, m)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEndToEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the ClickHouse engine; not with -short")
	}
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		s := engine(t, "", t.TempDir())
		d := deploy(t, c, s)
		d.write(20000, 1)
		d.agree("REST", d.served)
		d.agree("SQL", func() (map[produce.Key]produce.Counts, error) { return d.stored(s) })
		d.balanced(3)
		d.write(5000, 2) // with the sums known
		d.agree("REST", d.served)
		d.balanced(3)
	})
}

func TestClickHouseAway(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the ClickHouse engine; not with -short")
	}
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		dir := t.TempDir()
		s := engine(t, "", dir)
		d := deploy(t, c, s)
		d.write(5000, 1)
		d.agree("SQL before", func() (map[produce.Key]produce.Counts, error) { return d.stored(s) })

		must(t, s.Stop(t.Context()))
		d.write(5000, 2)
		d.agree("REST while the store is away", d.served)
		deadline := time.Now().Add(30 * time.Second)
		for h := d.health(); !strings.HasPrefix(h, "503") || !strings.Contains(h, `"sink store"`); h = d.health() {
			if time.Now().After(deadline) {
				t.Fatalf("health does not say that the store is away: %s", h)
			}
			time.Sleep(100 * time.Millisecond)
		}

		back := engine(t, s.Addr(), dir)
		d.agree("SQL after", func() (map[produce.Key]produce.Counts, error) { return d.stored(back) })
		for h := d.health(); !strings.HasPrefix(h, "200"); h = d.health() {
			if time.Now().After(deadline.Add(30 * time.Second)) {
				t.Fatalf("health does not recover: %s", h)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
}
