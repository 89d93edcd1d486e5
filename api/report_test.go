package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/api"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
)

// window is a record as an application posts it; more goes before its end.
func window(instance string, version int, more string) string {
	return fmt.Sprintf(`{"v":1,"kind":"window","topicName":"orders","tier":"app","instance":%q,"owner":%[1]q,"version":%[2]d,"timeBeginInSec":%[3]d,"timeEndInSec":%[4]d,"count":%[2]d%[5]s}`,
		instance, version, ten(20).Start, ten(20).End(), more)
}

const originalRecord = `{"uuid":"776938bb-9355-49e8-ab4f-c2ba08cc5778","timeBeginInSec":1.7698608E9,"timeEndInSec":1.7698614E9,"topicName":"orders","hostname":"h","tier":"t","datacenter":"d","totalBytes":50,"count":5}`

// everyBin is a latency in each bin.
var everyBin = func() string {
	bins := `,"maxLatency":1,"latencyBins":{"-1":1`
	for i := range 1200 {
		bins += fmt.Sprintf(`,"%d":1`, i+1)
	}
	return bins + "}"
}()

// unknown are so many fields that no record has.
func unknown(n int) (fields string) {
	for i := range n {
		fields += fmt.Sprintf(`,"new%d":[%d]`, i, i)
	}
	return fields
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

// post reports, with headers as name and value in turn.
func post(s http.Handler, body string, headers ...string) (*httptest.ResponseRecorder, v1.Problem) {
	r := httptest.NewRequest("POST", "/api/v1/audit", strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r)
	var p v1.Problem
	_ = json.Unmarshal(rec.Body.Bytes(), &p)
	return rec, p
}

func TestReportsComeInEveryForm(t *testing.T) {
	progress := `{"v":1,"kind":"progress","topicName":"orders","tier":"app","instance":"a","owner":"a","version":1,"progress":{"sources":[{"partition":-1,"next":3,"total":2,"caughtUp":"yes"}]}}`
	goodbye := `{"v":1,"kind":"goodbye","topicName":"orders","tier":"app","instance":"a","version":1,"newer":{"field":1}}`
	for outcome, c := range map[string]struct {
		body    string
		headers []string
		want    int
	}{
		"one record":                   {window("a", 1, ""), nil, 1},
		"an array":                     {" [" + window("a", 1, "") + ",\n" + progress + "]\n", []string{"Content-Type", "application/json"}, 2},
		"lines":                        {window("a", 1, "") + "\n" + progress + "\n\n" + goodbye + "\n", []string{"Content-Type", "application/x-ndjson"}, 3},
		"compressed":                   {zipped(window("a", 1, "") + "\n" + window("b", 1, "")), []string{"Content-Encoding", "gzip"}, 2},
		"nothing in an array":          {"[]", nil, 0},
		"many bins and new fields":     {window("a", 1201, everyBin+unknown(99)+`,"text":",[{\\\""`), nil, 1},
		"a record of the original":     {originalRecord, nil, 1},
		"the same twice":               {window("a", 1, "") + window("a", 1, ""), nil, 2},
		"with a token nobody asks for": {goodbye, []string{"Authorization", "Bearer x"}, 1},
	} {
		t.Run(outcome, func(t *testing.T) {
			w := fake()
			rec, _ := post(w.server(), c.body, c.headers...)
			if want := fmt.Sprintf(`{"accepted":%d}`, c.want); rec.Code != 200 || strings.TrimSpace(rec.Body.String()) != want || len(w.taken) != c.want {
				t.Errorf("got %d, %s, %d taken", rec.Code, rec.Body, len(w.taken))
			}
			for _, r := range w.taken {
				if err := r.Validate(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestNoneOfABadReportIsTaken(t *testing.T) {
	head := `{"v":1,"topicName":"orders","tier":"app","instance":"a","owner":"a","version":1,`
	source := func(fields string) string {
		return head + `"kind":"progress","progress":{"sources":[{"next":3,"caughtUp":"yes",` + fields + `}]}}`
	}
	for outcome, c := range map[string]struct{ record, reason string }{
		"a partition":                 {window("a", 1, `,"partition":3`), "partition: only counting processors"},
		"no instance":                 {window("", 1, ""), "instance: missing"},
		"another's base":              {window("a", 1, `,"base":3`), "base: "},
		"what is missed":              {head + `"kind":"missed","partition":0,"missed":{"from":0,"to":1,"reason":"retention"}}`, `kind: "missed" is not for applications`},
		"a kind that is not known":    {head + `"kind":"forecast"}`, `kind: "forecast"`},
		"progress of a partition":     {source(`"partition":3`), "progress.sources[0].partition: only"},
		"a base in progress":          {source(`"partition":-1,"base":3`), "progress.sources[0].base"},
		"the end of a log":            {source(`"partition":-1,"end":3`), "progress.sources[0].end"},
		"... with open transactions":  {source(`"partition":-1,"highWatermark":3`), "progress.sources[0].end"},
		"an invalid record":           {window("a", 1, `,"noTimeCount":9`), "noTimeCount: "},
		"a format of the future":      {`{"v":2,"kind":"window"}`, "newer"},
		"a number":                    {"7", "object"},
		"a record too large to store": {window("a", 1, `,"x":"`+strings.Repeat("x", 950_000)+`"`), "at most 900000"},
		"a reason that would be long": {head + `"kind":"` + strings.Repeat("ä", 10_000) + `"}`, "…"},
		"an original without uuid":    {`{"topicName":"orders"}`, "uuid: missing"},
		"the tier of a Kafka cluster": {strings.Replace(window("a", 1, ""), `"app"`, `"regional"`, 1), `tier: "regional" is that of a Kafka cluster`},
		"an original of such a tier":  {strings.Replace(originalRecord, `"t"`, `"regional"`, 1), `tier: "regional"`},
		"a version beyond a double":   {strings.Replace(window("a", 1, ""), `"version":1`, `"version":9007199254740993`, 1), "version: 9007199254740993 is above 2^53"},
		"another name of the topic":   {head + `"kind":"hello","physicalTopic":"west.orders"}`, "physicalTopic: only"},
		"no source":                   {head + `"kind":"progress","cluster":"c","progress":{"sources":[]}}`, "progress.sources: empty"},
		"two sources":                 {head + `"kind":"progress","progress":{"sources":[{"partition":-1,"next":1,"caughtUp":"yes"},{"partition":-1,"next":1,"caughtUp":"yes"}]}}`, "progress.sources: an application instance is one source"},
		"many bad sources":            {head + `"kind":"progress","progress":{"sources":[` + strings.Repeat("{},", 50) + `{}]}}`, "missing"},
		"very many sources":           {head + `"kind":"progress","progress":{"sources":[` + strings.Repeat("{},", 200_000) + `{}]}}`, "more than 10000 values"},
		"many unknown fields":         {window("a", 1, unknown(101)), "101 fields that are not known"},
		"more text than is stored":    {window("a", 1, strings.Repeat(" ", 900_000)), "at most 900000"},
	} {
		t.Run(outcome, func(t *testing.T) {
			w := fake()
			rec, p := post(w.server(func(o *api.Options) { o.KafkaTiers = []string{"regional"} }), window("a", 1, "")+c.record+window("b", 1, ""))
			if rec.Code != 422 || p.Code != v1.InvalidRecords || len(p.Records) != 1 || p.Records[0].Index != 1 || len(w.taken) != 0 {
				t.Fatalf("got %d, %+v, %d taken", rec.Code, p, len(w.taken))
			}
			if got := p.Records[0].Reason; !strings.Contains(got, c.reason) || len(got) > 600 {
				t.Errorf("got %q", got)
			}
		})
	}
	t.Run("at most 100 are named", func(t *testing.T) {
		_, p := post(fake().server(), strings.Repeat("{}", 150))
		if len(p.Records) != 100 || !strings.Contains(p.Detail, "Of 150 records 150") {
			t.Errorf("%d named: %s", len(p.Records), p.Detail)
		}
	})
}

func TestReportsThatCannotBeRead(t *testing.T) {
	one := window("a", 1, "")
	many := strings.Repeat(one, 50)
	for outcome, c := range map[string]struct {
		body, encoding string
		status         int
		detail         string
	}{
		"no JSON":                     {one + "\nx", "", 400, "record 1, counted from 0"},
		"an array that has no end":    {"[" + one, "", 400, "no end"},
		"half a record":               {one[:50], "", 400, "record 0"},
		"something behind the array":  {"[" + one + "] {}", "", 400, "behind the array"},
		"nothing":                     {" \n", "", 400, "it is empty"},
		"no gzip":                     {one, "gzip", 400, "gzip"},
		"half a gzip":                 {zipped(many)[:60], "gzip", 400, "unexpected EOF"},
		"another encoding":            {one, "br", 415, `"br"`},
		"too large":                   {many, "", 413, "more than 5000 bytes"},
		"too large when decompressed": {zipped(many), "gzip", 413, "more than 5000 bytes"},
	} {
		t.Run(outcome, func(t *testing.T) {
			w := fake()
			s := w.server(func(o *api.Options) { o.MaxBody = 5000 })
			rec, p := post(s, c.body, "Content-Encoding", c.encoding)
			if rec.Code != c.status || !strings.Contains(p.Detail, c.detail) || len(w.taken) != 0 {
				t.Errorf("got %d, %+v", rec.Code, p)
			}
			if rec, _ := post(s, one); rec.Code != 200 {
				t.Errorf("the next one: %d, %s", rec.Code, rec.Body)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		if rec, p := post(fake().server(), strings.Repeat(one, 10_001)); rec.Code != 413 || !strings.Contains(p.Detail, "10000 records") {
			t.Errorf("got %d, %+v", rec.Code, p)
		}
	})
}

func TestReportsAreNotPromisedButTaken(t *testing.T) {
	retry := func(t *testing.T, rec *httptest.ResponseRecorder, code v1.Code, p v1.Problem) {
		t.Helper()
		if rec.Code != 503 || p.Code != code || rec.Header().Get("Retry-After") == "" {
			t.Errorf("got %d, %s, %+v", rec.Code, rec.Header(), p)
		}
	}
	t.Run("when Kafka is away", func(t *testing.T) {
		w := fake()
		w.inboxErr = errors.New("no leader")
		rec, p := post(w.server(), window("a", 1, ""))
		retry(t, rec, v1.Unavailable, p)
	})
	t.Run("when it hangs", func(t *testing.T) {
		w := fake()
		w.block = true
		rec, p := post(w.server(func(o *api.Options) { o.Timeout = 10 * time.Millisecond }), window("a", 1, ""))
		retry(t, rec, v1.Timeout, p)
	})
	t.Run("when nobody waits any more", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w, rec := fake(), httptest.NewRecorder()
		w.server().ServeHTTP(rec, httptest.NewRequestWithContext(ctx, "POST", "/api/v1/audit", strings.NewReader("{} {} x")))
		if rec.Code != 503 || strings.Contains(w.log.String(), "level=ERROR") {
			t.Errorf("got %d, %s, log %s", rec.Code, rec.Body, w.log.String())
		}
	})
	t.Run("where there is no inbox", func(t *testing.T) {
		rec, p := post(fake().server(func(o *api.Options) { o.Inbox = nil }), window("a", 1, ""))
		retry(t, rec, v1.Unavailable, p)
	})
	t.Run("when all that come at once are too much", func(t *testing.T) {
		rec, p := post(fake().server(func(o *api.Options) { o.MaxBodies = 10 }), window("a", 1, ""))
		retry(t, rec, v1.Unavailable, p)
	})
}

func TestReportsNeedTheToken(t *testing.T) {
	s := fake().server(func(o *api.Options) { o.Token = "tomato" })
	for _, header := range []string{"", "tomato", "Bearer", "Bearer ", "Bearer potato", "Bearer tomato2", "Basic tomato"} {
		rec, p := post(s, "{", "Authorization", header)
		if rec.Code != 401 || p.Code != v1.Unauthorized || !strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "Bearer ") || strings.Contains(rec.Body.String(), "tomato") {
			t.Errorf("%q: got %d, %s, %s", header, rec.Code, rec.Header(), rec.Body)
		}
	}
	for _, header := range []string{"Bearer tomato", "bearer  tomato"} {
		if rec, _ := post(s, window("a", 1, ""), "Authorization", header); rec.Code != 200 {
			t.Errorf("%q: got %d, %s", header, rec.Code, rec.Body)
		}
	}
	if rec := ask(s, "GET", "/api/v1/topics", ""); rec.Code != 200 {
		t.Errorf("reading needs it too: %d", rec.Code)
	}
	c := mustClient(t, s)
	hello := &audit.Record{Kind: audit.KindHello, Identity: audit.Identity{Tier: "app", Topic: "orders", Partition: audit.NoPartition, Instance: "a"}}
	if _, err := c.Report(t.Context(), hello); err == nil {
		t.Error("a client without it is served")
	}
	if a, err := c.WithToken("tomato").Report(t.Context(), hello, hello); err != nil || a.Accepted != 2 {
		t.Errorf("got %+v, %v", a, err)
	}
}

func TestReportsAreCounted(t *testing.T) {
	s := fake().server()
	post(s, window("a", 1, "")+window("b", 1, ""))
	post(s, "{}")
	got := ask(s, "GET", "/metrics", "").Body.String()
	for _, want := range []string{`chaperone_http_reports_total{outcome="accepted"} 1`, `chaperone_http_reports_total{outcome="invalid_records"} 1`, "chaperone_http_reported_records_total 2", "chaperone_http_report_seconds_count 1"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

func FuzzReport(f *testing.F) {
	for _, body := range []string{window("a", 1, ""), "[" + window("a", 1, "") + "," + window("b", 2, "") + "]", originalRecord, "[]", "[[", "{}{", "\n7"} {
		f.Add(body, false)
		f.Add(zipped(body), true)
	}
	f.Fuzz(func(t *testing.T, body string, compressed bool) {
		w := fake()
		var headers []string
		if compressed {
			headers = []string{"Content-Encoding", "gzip"}
		}
		rec, _ := post(w.server(func(o *api.Options) { o.MaxBody = 1 << 16 }), body, headers...)
		if rec.Code >= 500 || rec.Code != 200 && len(w.taken) > 0 {
			t.Errorf("%d, %d taken: %s", rec.Code, len(w.taken), rec.Body)
		}
		for _, r := range w.taken {
			if err := r.Validate(); err != nil || r.Original == nil && (r.Instance == "" || r.Partition != audit.NoPartition) {
				t.Errorf("taken: %s, %v", r.AppendJSON(nil), err)
			}
		}
	})
}
