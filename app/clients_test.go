package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/api/client"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// badNetwork passes requests on to an address, but for some; and some of the answers.
func badNetwork(t *testing.T, address string) string {
	u, err := url.Parse(address)
	must(t, err)
	var n atomic.Int64
	pass := httputil.NewSingleHostReverseProxy(u)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) % 4 {
		case 1:
			http.Error(w, "not now", http.StatusServiceUnavailable)
		case 3:
			pass.ServeHTTP(httptest.NewRecorder(), r) // the answer is lost
			http.Error(w, "timeout", http.StatusGatewayTimeout)
		default:
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// The clients of examples/clients, as a reader of docs/clients.md would run them: with
// event times over more windows than they hold, so that they give memory up.
func TestClientsOfOtherLanguages(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Python and Java; not with -short")
	}
	d := deployWith(t, kafkatest.Kfake(t), func(c *config.Config) {
		c.Store.Kind, c.HTTP.Token = config.Memory, "tomato"
	})
	address := badNetwork(t, "http://"+d.app.Addr())
	for tier, command := range map[string][]string{
		"python": {"python3", "../examples/clients/python/recorder.py", "--address", address, "--topic", "by-python", "--messages", "5000", "--spread", "120", "--held", "4"},
		"java":   {"java", "../examples/clients/java/Recorder.java", address, "by-java", "5000", "120", "4"},
	} {
		t.Run(tier, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), command[0], command[1:]...)
			c.Env = append(os.Environ(), "CHAPERONE_TOKEN=tomato")
			var complaints strings.Builder
			c.Stderr = &complaints
			out, err := c.Output()
			if err != nil || !strings.Contains(complaints.String(), "503") || strings.Contains(complaints.String(), "tomato") {
				t.Fatalf("%v: %s", err, complaints.String())
			}
			var said struct {
				Attempts, Successes, Bytes uint64
				Closed                     bool
			}
			if err := json.Unmarshal(out, &said); err != nil || !said.Closed || said.Successes == 0 {
				t.Fatalf("%s: %v", out, err)
			}
			topic := "by-" + tier
			d.eventually("REST", func() string {
				w, err := d.rest.Windows(t.Context(), topic, client.Query{Span: client.Span{From: time.Now().Add(-5 * time.Hour)}, Tier: tier})
				must(t, err)
				var count, bytes uint64
				for _, r := range w.Rows {
					count, bytes = count+r.Count, bytes+r.Bytes
				}
				if count != said.Successes || bytes != said.Bytes || len(w.Rows) < 12 {
					return fmt.Sprintf("%d messages and %d bytes in %d windows, said are %s", count, bytes, len(w.Rows), out)
				}
				return ""
			})
			d.eventually("goodbye", func() string {
				i, err := d.rest.Instances(t.Context(), topic)
				must(t, err)
				if len(i.Instances) != 1 || i.Instances[0].State != "ended" || i.Instances[0].Attempts != said.Attempts || i.Instances[0].Successes != said.Successes {
					return fmt.Sprintf("instances %+v", i.Instances)
				}
				return ""
			})
		})
	}
}

// What docs/clients.md shows is what there is.
func TestTheClientsPageIsRight(t *testing.T) {
	b, err := os.ReadFile("../docs/clients.md")
	must(t, err)
	page := string(b)

	order, other := audit.Hash([]byte("order-1"), []byte("hello")), audit.Hash(nil, []byte("hello"))
	var both audit.PowerSums
	both.Add(order)
	both.Add(other)
	numbers := append([]uint64{order, other, audit.Hash([]byte{}, []byte("hello")), audit.Hash(nil, nil), order + other}, both[:]...)
	moment, another := audit.Moment([]byte("order-1"), 1769853600000), audit.Moment(nil, 1769853600000)
	var moments audit.PowerSums
	moments.Add(moment)
	moments.Add(another)
	numbers = append(append(numbers, moment, another), moments[:]...)
	for _, n := range numbers {
		if !strings.Contains(page, fmt.Sprint(n)) {
			t.Errorf("%d is not in it", n)
		}
	}

	d := deployWith(t, kafkatest.Kfake(t), func(c *config.Config) { c.Store.Kind, c.HTTP.Token = config.Memory, "tomato" })
	_, script, ok1 := strings.Cut(page, "```sh\n")
	script, _, ok2 := strings.Cut(script, "```")
	if !ok1 || !ok2 {
		t.Fatal("it has no script")
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	c := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(script, "localhost:9000", d.app.Addr()))
	c.Env = append(os.Environ(), "CHAPERONE_TOKEN=tomato")
	out, err := c.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != `{"accepted":1}` {
		t.Errorf("%v: %s", err, out)
	}
	d.eventually("REST", func() string {
		w, err := d.rest.Windows(t.Context(), "orders", client.Query{Tier: "shop"})
		if err != nil || len(w.Rows) != 1 || w.Rows[0].Count != 42 {
			return fmt.Sprintf("%+v, %v", w, err)
		}
		return ""
	})
}

// The Python client stamps as audit.Topic.Stamp does; garbage must not stop who sends.
func TestThePythonClientRespectsTimesAndNotGarbage(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Python; not with -short")
	}
	const script = `
import sys, time
sys.path.insert(0, "../examples/clients/python")
sys.dont_write_bytecode = True
from recorder import Recorder
stamp = lambda h: Recorder.stamp(None, h)
for headers, want in [
    ({"chaperone-time": b"1769853600000", "ce_time": b"2020-01-01T00:00:00Z"}, 1769853600000),
    ({"chaperone-time": "1769853600000"}, 1769853600000),
    ({"ce_time": b"2026-01-31T10:00:00Z"}, 1769853600000),
    ({"ce_time": "2026-01-31T11:30:00.123456789+01:30"}, 1769853600123),
    ({"ce_time": b"1969-12-31T23:59:59.9Z"}, -100),
    ({"chaperone-time": b"tomorrow", "ce_time": b"2026-01-31T10:00:00.5Z"}, 1769853600500),
]:
    before = dict(headers)
    assert stamp(headers) == want and headers == before, (headers, stamp(headers))
for garbage in [{}, {"chaperone-time": b"1_0"}, {"chaperone-time": b"\xff"}, {"chaperone-time": None}, {"chaperone-time": b"9" * 19},
        {"chaperone-time": b"9" * 5000}, {"ce_time": b"2026-13-01T00:00:00Z"}, {"ce_time": b"2026-01-01T00:00:00+99:00"}, {"ce_time": b"yesterday"}]:
    now = time.time() * 1000
    ms = stamp(garbage)
    assert now - 1 <= ms <= now + 10_000 and garbage["chaperone-time"] == b"%d" % ms and stamp(garbage) == ms, garbage
`
	if out, err := exec.CommandContext(t.Context(), "python3", "-c", script).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
