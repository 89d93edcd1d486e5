package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/api"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/query"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// now is 2026-01-31T12:00:00Z.
var now = time.Unix(1769860800, 0)

// ten is the window of ten minutes that starts so many minutes before now.
func ten(minutes int64) audit.Window {
	return audit.Window{Start: now.Unix() - minutes*60, Size: 600}
}

// A world is everything a server asks, as a test wants it.
type world struct {
	records   []*audit.Record
	queryErr  error
	block     bool // questions wait until they are given up
	progress  []query.Progress
	missed    []query.Missed
	instances []query.Instance
	judged
	added    []string
	addErr   error
	writes   int // calls of AddTopic
	taken    []*audit.Record
	inboxErr error
	health   health.Registry
	ready    error
	log      bytes.Buffer
}

func (w *world) Windows(ctx context.Context, q query.Windows) ([]query.Row, error) {
	if w.block {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if w.queryErr != nil {
		return nil, w.queryErr
	}
	return query.Group(q, slices.Values(w.records)), nil
}

func (w *world) Records(_ context.Context, topic string, from, to int64) ([]*audit.Record, error) {
	return query.NewestRecords(topic, from, to, slices.Values(w.records)), w.queryErr
}

func (w *world) Topics(_ context.Context, from, to int64) ([]query.Topic, error) {
	return query.GroupTopics(from, to, slices.Values(w.records)), w.queryErr
}

func (w *world) Progress(_ context.Context, topic string) (list []query.Progress, err error) {
	for _, p := range w.progress {
		if topic == "" || p.Source.Topic == topic {
			list = append(list, p)
		}
	}
	return list, w.queryErr
}

func (w *world) Instances(_ context.Context, topic string) (list []query.Instance, err error) {
	for _, i := range w.instances {
		if topic == "" || i.Topic == topic {
			list = append(list, i)
		}
	}
	return list, w.queryErr
}

func (w *world) Missed(_ context.Context, topic string) (list []query.Missed, err error) {
	for _, m := range w.missed {
		if topic == "" || m.Source.Topic == topic {
			list = append(list, m)
		}
	}
	return list, w.queryErr
}

// settings is the world as the list of topics added by hand.
type settings struct{ w *world }

func (s settings) Topics() []string { return s.w.added }
func (s settings) AddTopic(_ context.Context, name string) error {
	s.w.writes++
	if s.w.addErr == nil {
		s.w.added = append(s.w.added, name)
	}
	return s.w.addErr
}

// inbox is the world as the audit topic.
type inbox struct{ w *world }

func (i inbox) Report(ctx context.Context, records []*audit.Record) error {
	if i.w.block {
		<-ctx.Done()
		return ctx.Err()
	}
	if i.w.inboxErr == nil {
		i.w.taken = append(i.w.taken, records...)
	}
	return i.w.inboxErr
}

func (w *world) server(change ...func(*api.Options)) *api.Server {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "chaperone_test_total"}))
	o := api.Options{
		Query: w, Sources: w, Judged: &w.judged, Records: w, Alerts: w, Audited: settings{w}, Inbox: inbox{w}, Register: registry, Health: &w.health, Ready: func() error { return w.ready }, Metrics: registry,
		Log: slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test",
		Now: func() time.Time { return now },
	}
	for _, c := range change {
		c(&o)
	}
	return api.New(o)
}

// fake is a world with something of everything.
func fake() *world {
	w := &world{health: health.Registry{Now: func() time.Time { return now }}}
	id := func(topic string, partition int32, window audit.Window) audit.Identity {
		return audit.Identity{Tier: "regional", Datacenter: "dc1", Cluster: "east", Topic: topic,
			TopicID: audit.TopicID{1, 2, 3}, Partition: partition, Window: window}
	}
	record := func(topic string, partition int32, window audit.Window, latencies ...int64) *audit.Record {
		r := &audit.Record{Kind: audit.KindWindow, Identity: id(topic, partition, window), Version: 107, Owner: "o1", Host: "h1",
			Tally: &audit.WindowTally{First: 100, Last: 107}}
		for i, ms := range latencies {
			r.Tally.Add(&audit.Event{Bytes: 200, Hash: math.MaxUint64 - uint64(i), Moment: uint64(i) + 3, Latency: ms})
		}
		return r
	}
	noTime := record("orders", 1, ten(20))
	noTime.Tally.Add(&audit.Event{Bytes: 5, Hash: 7, Class: audit.NoTime})
	noTime.Tally.Add(&audit.Event{Bytes: 5, Hash: 8, Class: audit.Malformed})
	noTime.Tally.Partial = true
	original := record("legacy", audit.NoPartition, ten(20))
	original.Cluster, original.TopicID = "", audit.TopicID{}
	original.Tally.Count, original.Tally.Bytes = 35, 7000
	original.Tally.First, original.Tally.Last = -1, -1
	original.Original = &audit.OriginalCount{UUID: "776938bb-9355-49e8-ab4f-c2ba08cc5778"}
	aggregate := record("orders", 0, ten(20), 40, 50)
	aggregate.Tier, aggregate.Cluster = "aggregate", "all"
	aggregate.Tally.Arrival = &audit.Latency{}
	aggregate.Tally.Arrival.Add(250) // of one of the two
	w.records = []*audit.Record{
		record("orders", 0, ten(20), 10, 20, 30, 4000, -3), noTime, aggregate,
		record("orders", 0, ten(10), 10),
		record("orders", 0, ten(24*60), 10), // beyond the default span
		original,
	}
	source := func(topic string, partition int32) audit.Source {
		i := id(topic, partition, audit.Window{})
		return i.Source()
	}
	progress := func(topic string, p audit.SourceProgress) query.Progress {
		return query.Progress{Tier: "regional", Datacenter: "dc1", Source: source(topic, p.Partition), Owner: "o1", Host: "h1", Partitions: 2,
			AsOf: now, SourceProgress: p}
	}
	instance := func(topic, name string, ago time.Duration, ended bool, c audit.ClientCount) query.Instance {
		return query.Instance{Topic: topic, Tier: "proxy-client", Datacenter: "dc1", Instance: name, Host: "h1", AsOf: now.Add(-ago), Ended: ended, ClientCount: c}
	}
	w.instances = []query.Instance{
		instance("orders", "app-1", 20*time.Second, false, audit.ClientCount{Attempts: 12, Successes: 10, Failures: 1, Started: now.UnixMilli() - 5000, Records: 2, Every: 60_000}),
		instance("orders", "app-2", 4*time.Minute, false, audit.ClientCount{Attempts: 5, Successes: 5, Uncounted: 1, Records: 1, Every: 60_000}),
		instance("payments", "app-1", 24*time.Hour, true, audit.ClientCount{Attempts: 3, Successes: 3, Records: 3}),
	}
	w.progress = []query.Progress{
		progress("orders", audit.SourceProgress{Partition: 0, Next: 108, Total: 108, End: 108, HighWatermark: 112, Time: now.UnixMilli() + 1, CaughtUp: audit.CaughtUpYes}),
		progress("orders", audit.SourceProgress{Partition: 1, Start: 7, Next: 108, Total: 101, End: -1, HighWatermark: -1}),
		progress("payments", audit.SourceProgress{Partition: 0, Generation: 1, Start: 3, Next: 3, LogStart: 3, End: 3, HighWatermark: 3, CaughtUp: audit.CaughtUpYes}),
	}
	w.progress[2].Physical = "west.payments"
	w.missed = []query.Missed{{Tier: "regional", Datacenter: "dc1", Source: source("orders", 1), AsOf: now,
		Missed: audit.Missed{From: 0, To: 7, Reason: audit.MissedRetention, Until: now.UnixMilli()}}}
	w.judged = judgements()
	w.health.Part("store").Degraded("connection refused; trying again")
	w.health.Part("count").OK()
	return w
}

func ask(h http.Handler, method, target, body string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d has it
	}
	h.ServeHTTP(rec, r)
	return rec
}

// golden compares an answer with a file, indented for people.
func golden(t *testing.T, name string, rec *httptest.ResponseRecorder) {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d %s\n", rec.Code, rec.Header().Get("Content-Type"))
	if err := json.Indent(&b, rec.Body.Bytes(), "", "  "); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
	got := strings.TrimSpace(b.String()) + "\n"
	file := filepath.Join("testdata", name+".golden")
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// Answers, word for word. `go test ./api -rewrite` writes them anew: review them.
var answers = []struct{ name, method, target, body string }{
	{"index", "GET", "/", ""},
	{"topics", "GET", "/api/v1/topics", ""},
	{"topics-of-a-time", "GET", "/api/v1/topics?from=2026-01-30T00:00:00Z&to=1769853600", ""},
	{"windows", "GET", "/api/v1/topics/orders/windows", ""},
	{"completeness", "GET", "/api/v1/completeness", ""},
	{"completeness-of-a-topic", "GET", "/api/v1/completeness?topic=orders&from=2026-01-31T10:50:00Z&threshold=0.8", ""},
	{"completeness-of-no-topic", "GET", "/api/v1/completeness?topic=nothing&until=2026-01-31T11:00:00Z", ""},
	{"completeness-of-a-pipeline", "GET", "/api/v1/completeness?pipeline=main&from=2026-01-31T11:00:00Z&to=2026-01-31T11:20:00Z&wait=1s", ""},
	{"verdicts", "GET", "/api/v1/verdicts?verdict=missing,unknown&pipeline=main", ""},
	{"verdicts-of-a-topic", "GET", "/api/v1/topics/orders/verdicts", ""},
	{"why", "GET", "/api/v1/topics/orders/why?window=2026-01-31T11:44:00Z", ""},
	{"why-without-a-verdict", "GET", "/api/v1/topics/payments/why?window=-1", ""},
	{"why-of-no-topic", "GET", "/api/v1/topics/nothing/why?window=1769860000", ""},
	{"records", "GET", "/api/v1/topics/orders/records?from=2026-01-31T11:40:00Z&to=2026-01-31T11:50:00Z", ""},
	// As AuditCountHttpClient.fetch and KafkaAuditCountHttpClient.fetch make them.
	{"gobblin-totals", "GET", "/gobblin/audit?topic=orders&start=1769857200000&end=1769859600000", ""},
	{"gobblin-result", "GET", "/gobblin/audit/orders?begin=1769857200000&end=1769859600000", ""},
	{"gobblin-unsettled", "GET", "/gobblin/audit?topic=orders&start=1769857200000&end=1769860800000", ""},
	// As C3QueryUtils.retrieveTopicInRate makes them.
	{"rawmetrics", "GET", "/chaperone3/rawmetrics?startSec=1769857200&endSec=1769860800&tier=east&topicList=orders,payments,nothing", ""},
	{"windows-by-partition", "GET", "/api/v1/topics/orders/windows?by=datacenter,partition&tier=regional&from=2026-01-31T11:40:00Z&to=2026-01-31T11:50:00Z", ""},
	{"windows-of-originals", "GET", "/api/v1/topics/legacy/windows?by=cluster", ""},
	{"lateness", "GET", "/api/v1/topics/orders/lateness", ""},
	{"windows-of-nothing", "GET", "/api/v1/topics/unknown/windows", ""},
	{"sources", "GET", "/api/v1/sources", ""},
	{"instances", "GET", "/api/v1/instances", ""},
	{"instances-of-a-topic", "GET", "/api/v1/instances?topic=payments", ""},
	{"instances-in-states", "GET", "/api/v1/instances?state=silent,ended&state=silent", ""},
	{"sources-of-a-topic", "GET", "/api/v1/sources?topic=payments", ""},
	{"missed", "GET", "/api/v1/missed", ""},
	{"missed-of-a-topic", "GET", "/api/v1/missed?topic=payments", ""},
	{"alerts", "GET", "/api/v1/alerts", ""},
	{"alerts-of-a-topic", "GET", "/api/v1/alerts?topic=orders&state=firing&rule=critical-missing", ""},
	{"audited", "GET", "/topics", ""},
	{"add-topic", "POST", "/topics", `{"topic":"dummyTopic", "numPartitions":"1"}`},
	{"report", "POST", "/api/v1/audit", `{"v":1,"kind":"hello","topicName":"orders","tier":"app","instance":"a","version":1}`},
	{"bad-report", "POST", "/api/v1/audit", `[{"v":1,"kind":"hello","topicName":"orders","tier":"app","version":1},
		{"v":1,"kind":"hello","topicName":"orders","tier":"app","instance":"a","version":1},
		{"v":1,"kind":"window","topicName":"orders","tier":"app","instance":"a","partition":0,"version":1,"timeBeginInSec":0,"timeEndInSec":600,"count":1}, 7]`},
	{"broken-report", "POST", "/api/v1/audit", `{"v":1,`},
	{"health", "GET", "/health", ""},
	{"ready", "GET", "/ready", ""},
	{"not-found", "GET", "/api/v1/nothing", ""},
	{"method-not-allowed", "DELETE", "/topics", ""},
	{"bad-parameters", "GET", "/api/v1/topics/orders/windows?from=yesterday&teir=x&partition=-1&by=host&to=1&to=2", ""},
	{"bad-topic", "POST", "/topics", `{"topic":"a b"}`},
}

func TestAnswers(t *testing.T) {
	for _, c := range answers {
		t.Run(c.name, func(t *testing.T) { golden(t, c.name, ask(fake().server(), c.method, c.target, c.body)) })
	}
}

func TestErrorsAreProblems(t *testing.T) {
	away := fmt.Errorf("ask the store: connection refused: %w", query.ErrUnavailable)
	windows := "/api/v1/topics/orders/windows"
	for _, c := range []struct {
		outcome, method, target, body string
		change                        func(*world, *api.Options)
		status                        int
		code                          v1.Code
		detail                        string // part of it
	}{
		{outcome: "a store that is away", target: windows, change: func(w *world, _ *api.Options) { w.queryErr = away }, status: 503, code: v1.Unavailable, detail: "connection refused"},
		{outcome: "for topics too", target: "/api/v1/topics", change: func(w *world, _ *api.Options) { w.queryErr = away }, status: 503, code: v1.Unavailable},
		{outcome: "and for those audited", target: "/topics", change: func(w *world, _ *api.Options) { w.queryErr = away }, status: 503, code: v1.Unavailable},
		{outcome: "an instance that follows no sources", target: "/api/v1/sources", change: func(_ *world, o *api.Options) { o.Sources = nil }, status: 503, code: v1.Unavailable},
		{outcome: "nor what was missed", target: "/api/v1/missed", change: func(_ *world, o *api.Options) { o.Sources = nil }, status: 503, code: v1.Unavailable},
		{outcome: "an instance that adds no topics", method: "POST", target: "/topics", body: `{"topic":"x"}`, change: func(_ *world, o *api.Options) { o.Audited = nil }, status: 503, code: v1.Unavailable},
		{outcome: "a topic that could not be added", method: "POST", target: "/topics", body: `{"topic":"x"}`, change: func(w *world, _ *api.Options) { w.addErr = errors.New("no leader") }, status: 503, code: v1.Unavailable, detail: "no leader"},
		{outcome: "not ready", target: "/ready", change: func(w *world, _ *api.Options) { w.ready = errors.New("views are being read") }, status: 503, code: v1.Unavailable, detail: "Views are being read"},
		{outcome: "a defect, without its cause", target: windows, change: func(w *world, _ *api.Options) { w.queryErr = errors.New("secret cause") }, status: 500, code: v1.Internal},
		{outcome: "a panic, without its stack", target: windows, change: func(_ *world, o *api.Options) { o.Query = nil }, status: 500, code: v1.Internal},
		{outcome: "a question that takes too long", target: windows, change: func(w *world, o *api.Options) { w.block, o.Timeout = true, time.Millisecond }, status: 503, code: v1.Timeout},
		{outcome: "too many rows", target: windows, change: func(_ *world, o *api.Options) { o.MaxRows = 2 }, status: 400, code: v1.TooManyRows, detail: "There are 3 rows; an answer has at most 2."},
		{outcome: "too many instances", target: "/api/v1/instances", change: func(_ *world, o *api.Options) { o.MaxRows = 2 }, status: 400, code: v1.TooManyRows, detail: "There are 3 instances; an answer has at most 2."},
		{outcome: "too many verdicts", target: "/api/v1/verdicts", change: func(_ *world, o *api.Options) { o.MaxRows = 2 }, status: 400, code: v1.TooManyRows, detail: "There are 5 verdicts; an answer has at most 2."},
		{outcome: "too many windows of a topic", target: "/api/v1/completeness?topic=orders&from=0", status: 400, code: v1.TooManyRows, detail: "There are 1 topics, with 2949768 windows"},
		{outcome: "an instance that knows no verdicts", target: "/api/v1/verdicts", change: func(_ *world, o *api.Options) { o.Judged = nil }, status: 503, code: v1.Unavailable},
		{outcome: "and so not what is complete", target: "/api/v1/completeness", change: func(_ *world, o *api.Options) { o.Judged = nil }, status: 503, code: v1.Unavailable},
		{outcome: "verdicts that are being read", target: "/api/v1/completeness", change: func(w *world, _ *api.Options) { w.judgedErr = away }, status: 503, code: v1.Unavailable},
		{outcome: "a verdict that is none", target: "/api/v1/verdicts?verdict=missing,lost", status: 400, code: v1.BadRequest, detail: `verdict has "lost"`},
		{outcome: "a threshold in percent", target: "/api/v1/completeness?threshold=99.9", status: 400, code: v1.BadRequest, detail: "threshold is"},
		{outcome: "a threshold that is no number", target: "/api/v1/completeness?threshold=NaN", status: 400, code: v1.BadRequest, detail: "threshold is"},
		{outcome: "too long a wait", target: "/api/v1/completeness?wait=1h", status: 400, code: v1.BadRequest, detail: "at most 1m"},
		{outcome: "two ends", target: "/api/v1/completeness?to=10&until=10", status: 400, code: v1.BadRequest, detail: "say the same"},
		{outcome: "no window", target: "/api/v1/topics/orders/why", status: 400, code: v1.BadRequest, detail: "window is missing"},
		{outcome: "a window that is none", target: "/api/v1/topics/orders/why?window=noon", status: 400, code: v1.BadRequest, detail: `window is "noon"`},
		{outcome: "a window of a topic that cannot be", target: "/api/v1/topics/a%20b/why?window=-1", status: 400, code: v1.BadRequest, detail: `topic is "a b"`},
		{outcome: "evidence without those who count", target: "/api/v1/topics/orders/why?window=-1", change: func(_ *world, o *api.Options) { o.Sources = nil }, status: 503, code: v1.Unavailable},
		{outcome: "a topic that Gobblin asks for and nobody knows", target: "/gobblin/audit?topic=nothing&start=1&end=2", status: 503, code: v1.Unavailable, detail: "Nobody has heard"},
		{outcome: "a time that Gobblin asks for before a topic was known", target: "/gobblin/audit/orders?begin=1&end=1769857200000", status: 503, code: v1.Unavailable, detail: "is not known before 2026-01-31T10:30:00Z"},
		{outcome: "seconds where Gobblin has nothing", target: "/gobblin/audit?topic=orders&start=x&end=", status: 400, code: v1.BadRequest, detail: "start is"},
		{outcome: "metrics of no time", target: "/chaperone3/rawmetrics?topicList=a", status: 400, code: v1.BadRequest, detail: "startSec is"},
		{outcome: "too many records", target: "/api/v1/topics/orders/records", change: func(_ *world, o *api.Options) { o.MaxRows = 2 }, status: 400, code: v1.TooManyRows, detail: "There are 4 records; an answer has at most 2."},
		{outcome: "records that cannot be had", target: "/api/v1/topics/orders/records", change: func(_ *world, o *api.Options) { o.Records = nil }, status: 503, code: v1.Unavailable},
		{outcome: "a state that is none", target: "/api/v1/instances?state=running,dead", status: 400, code: v1.BadRequest, detail: `state has "dead"`},
		{outcome: "from after to", target: windows + "?from=20&to=10", status: 400, code: v1.BadRequest, detail: "from, 1970-01-01T00:00:20Z, is after to"},
		{outcome: "milliseconds for seconds", target: windows + "?from=1769860800000", status: 400, code: v1.BadRequest, detail: "it is in seconds"},
		{outcome: "a topic that cannot be", target: "/api/v1/topics/a%20b/windows", status: 400, code: v1.BadRequest, detail: `topic is "a b"`},
		{outcome: "a parameter where there is none", target: "/topics?x=1", status: 400, code: v1.BadRequest, detail: `"x" is no parameter`},
		{outcome: "an empty body", method: "POST", target: "/topics", status: 400, code: v1.BadRequest},
		{outcome: "a body that is no JSON", method: "POST", target: "/topics", body: "topic=x", status: 400, code: v1.BadRequest},
		{outcome: "two bodies", method: "POST", target: "/topics", body: `{"topic":"x"} {}`, status: 400, code: v1.BadRequest},
		{outcome: "a misspelt body", method: "POST", target: "/topics", body: `{"topik":"x"}`, status: 400, code: v1.BadRequest},
		{outcome: "no number of partitions", method: "POST", target: "/topics", body: `{"topic":"x","numPartitions":"many"}`, status: 400, code: v1.BadRequest, detail: "numPartitions"},
		{outcome: "no partition at all", method: "POST", target: "/topics", body: `{"topic":"x","numPartitions":0}`, status: 400, code: v1.BadRequest, detail: "numPartitions"},
		{outcome: "a body that is too large", method: "POST", target: "/topics", body: `{"topic":"` + strings.Repeat("x", 100_000) + `"}`, status: 413, code: v1.TooLarge},
		{outcome: "an unknown address", target: "/api/v2/topics", status: 404, code: v1.NotFound},
		{outcome: "another method", method: "PUT", target: windows, status: 405, code: v1.MethodNotAllowed},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			w := fake()
			s := w.server(func(o *api.Options) {
				if c.change != nil {
					c.change(w, o)
				}
			})
			if c.method == "" {
				c.method = "GET"
			}
			rec := ask(s, c.method, c.target, c.body)
			var p v1.Problem
			if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
				t.Fatalf("%v: %s", err, rec.Body)
			}
			if rec.Code != c.status || p.Status != c.status || p.Code != c.code || p.Type != v1.TypePrefix+string(c.code) {
				t.Errorf("got %d, %+v", rec.Code, p)
			}
			if rec.Header().Get("Content-Type") != v1.ProblemType || p.Title == "" || p.Detail == "" || p.Try == "" {
				t.Errorf("it lacks something: %s %+v", rec.Header(), p)
			}
			if !strings.Contains(p.Detail, c.detail) {
				t.Errorf("got detail %q, want %q in it", p.Detail, c.detail)
			}
			for _, leak := range []string{"secret cause", "goroutine", ".go:", "nil pointer"} {
				if strings.Contains(rec.Body.String(), leak) {
					t.Errorf("it tells %q: %s", leak, rec.Body)
				}
			}
			level := "level=ERROR"
			if c.status == http.StatusServiceUnavailable {
				level = "level=WARN" // what is away says so itself
			}
			if c.status >= 500 && !strings.Contains(w.log.String(), level) {
				t.Error("nothing of it in the log")
			}
		})
	}
	t.Run("the header Allow goes with 405", func(t *testing.T) {
		if allow := ask(fake().server(), "DELETE", "/topics", "").Header().Get("Allow"); !strings.Contains(allow, "POST") {
			t.Errorf("got %q", allow)
		}
	})
}

func TestAddTopic(t *testing.T) {
	add := func(t *testing.T, w *world, body string, change ...func(*api.Options)) (int, v1.Added) {
		t.Helper()
		rec := ask(w.server(change...), "POST", "/topics", body)
		var a v1.Added
		if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
			t.Fatalf("%v: %s", err, rec.Body)
		}
		return rec.Code, a
	}
	t.Run("twice is once", func(t *testing.T) {
		w := fake()
		if status, a := add(t, w, `{"topic":"x","numPartitions":4}`); status != 201 || !a.New {
			t.Errorf("got %d, %+v", status, a)
		}
		if status, a := add(t, w, `{"topic":"x"}`); status != 200 || a.New || w.writes != 1 {
			t.Errorf("got %d, %+v, after %d writes", status, a, w.writes)
		}
		if got := ask(w.server(), "GET", "/topics", "").Body.String(); !strings.Contains(got, `"x"`) {
			t.Errorf("it is not listed: %s", got)
		}
	})
	t.Run("says which clusters have the topic", func(t *testing.T) {
		if _, a := add(t, fake(), `{"topic":"orders"}`); fmt.Sprint(a.Clusters) != "[east]" || !strings.Contains(a.Message, "east") {
			t.Errorf("got %+v", a)
		}
		if _, a := add(t, fake(), `{"topic":"new"}`); len(a.Clusters) != 0 || !strings.Contains(a.Message, "No cluster") {
			t.Errorf("got %+v", a)
		}
		asked := func(o *api.Options) {
			o.Clusters = func(context.Context, string) ([]string, error) { return []string{"a", "b"}, nil }
		}
		if _, a := add(t, fake(), `{"topic":"new"}`, asked); fmt.Sprint(a.Clusters) != "[a b]" {
			t.Errorf("got %+v", a)
		}
	})
	t.Run("does not fail because that is not known", func(t *testing.T) {
		status, a := add(t, fake(), `{"topic":"new"}`, func(o *api.Options) { o.Sources = nil })
		if status != 201 || !strings.Contains(a.Message, "not known") {
			t.Errorf("got %d, %+v", status, a)
		}
	})
}

func TestHealthIsDownWhenAPartIs(t *testing.T) {
	w := fake()
	w.health.Part("views").Down("reading")
	rec := ask(w.server(), "GET", "/health", "")
	var h v1.Health
	if err := json.Unmarshal(rec.Body.Bytes(), &h); err != nil {
		t.Fatal(err)
	}
	if rec.Code != 503 || h.Status != "down" || len(h.Parts) != 3 {
		t.Errorf("got %d, %+v", rec.Code, h)
	}
}

func TestMetrics(t *testing.T) {
	if got := ask(fake().server(), "GET", "/metrics", "").Body.String(); !strings.Contains(got, "chaperone_test_total 0") {
		t.Errorf("got %s", got)
	}
}

func TestTheAccessLogIsForDebugging(t *testing.T) {
	w := fake()
	ask(w.server(), "GET", "/api/v1/nothing?x=1", "")
	if got := w.log.String(); !strings.Contains(got, "level=DEBUG") || !strings.Contains(got, "status=404") || !strings.Contains(got, "path=/api/v1/nothing") {
		t.Errorf("got %s", got)
	}
}

func FuzzRequest(f *testing.F) {
	for _, c := range answers {
		f.Add(c.method == "POST", c.target, c.body)
	}
	f.Fuzz(func(t *testing.T, post bool, target, body string) {
		r, err := http.NewRequest(http.MethodGet, target, strings.NewReader(body))
		if err != nil || r.URL.Host != "" || !strings.HasPrefix(r.URL.Path, "/") {
			return
		}
		if post {
			r.Method = http.MethodPost
		}
		w := fake()
		rec := httptest.NewRecorder()
		w.server(func(o *api.Options) { o.Log = slog.New(slog.NewTextHandler(io.Discard, nil)) }).ServeHTTP(rec, r)
		if rec.Code == http.StatusInternalServerError {
			t.Errorf("%s %s %q: %s", r.Method, target, body, rec.Body)
		}
	})
}
