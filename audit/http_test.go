package audit_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/reportertest"
)

// endpoint is POST /api/v1/audit as far as a Reporter sees it.
type endpoint struct {
	mu    sync.Mutex
	taken []*audit.Record
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	z, err := gzip.NewReader(r.Body)
	if r.Method != http.MethodPost || r.URL.Path != "/under/api/v1/audit" || r.Header.Get("Authorization") != "Bearer tomato" || err != nil {
		http.Error(w, "not as it should be", http.StatusTeapot)
		return
	}
	records := mustLines(z)
	e.taken = append(e.taken, records...)
	fmt.Fprintf(w, `{"accepted":%d}`, len(records))
}

func (e *endpoint) arrived() []*audit.Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.taken
}

func mustLines(r io.Reader) (records []*audit.Record) {
	b, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	for line := range bytes.Lines(b) {
		record, err := audit.Decode(line)
		if err != nil {
			panic(err)
		}
		records = append(records, record)
	}
	return records
}

func TestReportersKeepTheContract(t *testing.T) {
	lines := func() (audit.Reporter, func() []*audit.Record) {
		var b bytes.Buffer
		return audit.WriteTo(&b), func() []*audit.Record { return mustLines(bytes.NewReader(b.Bytes())) }
	}
	t.Run("WriteTo", func(t *testing.T) {
		reportertest.Run(t, func(*testing.T) (audit.Reporter, func() []*audit.Record) { return lines() })
	})
	t.Run("Tee", func(t *testing.T) {
		reportertest.Run(t, func(*testing.T) (audit.Reporter, func() []*audit.Record) {
			a, first := lines()
			b, second := lines()
			return audit.Tee(a, b), func() []*audit.Record {
				if len(first()) != len(second()) {
					t.Error("one has got more than the other")
				}
				return first()
			}
		})
	})
	t.Run("HTTP", func(t *testing.T) {
		reportertest.Run(t, func(t *testing.T) (audit.Reporter, func() []*audit.Record) {
			e := &endpoint{}
			s := httptest.NewServer(e)
			t.Cleanup(s.Close)
			return audit.HTTP(s.URL+"/under", audit.HTTPOptions{Token: "tomato"}), e.arrived
		})
	})
}

func TestReportersSayWhenTheOtherSideIsDown(t *testing.T) {
	serve := func(h http.HandlerFunc) func(t *testing.T) audit.Reporter {
		return func(t *testing.T) audit.Reporter {
			s := httptest.NewServer(h)
			t.Cleanup(s.Close)
			return audit.HTTP(s.URL, audit.HTTPOptions{})
		}
	}
	answer := func(status int, text string) func(t *testing.T) audit.Reporter {
		return serve(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		})
	}
	good := audit.ReporterFunc(func(context.Context, []*audit.Record) error { return nil })
	for outcome, open := range map[string]func(t *testing.T) audit.Reporter{
		"a writer that fails": func(*testing.T) audit.Reporter { r, w := io.Pipe(); r.Close(); return audit.WriteTo(w) },
		"one of two": func(*testing.T) audit.Reporter {
			r, w := io.Pipe()
			r.Close()
			return audit.Tee(good, audit.WriteTo(w))
		},
		"nobody listens": func(t *testing.T) audit.Reporter {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			_ = l.Close()
			return audit.HTTP("http://"+l.Addr().String(), audit.HTTPOptions{})
		},
		"it hangs": serve(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }),
		"it ends amid the answer": serve(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"acc`)
		}),
		"it is busy":                answer(503, `{"title":"This cannot be answered at the moment","detail":"x"}`),
		"it takes a part":           answer(200, `{"accepted":1}`),
		"it is something else":      answer(200, "<html>"),
		"it says yes to everything": answer(204, ""),
		"it never ends": serve(func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}),
		"the address is none": func(*testing.T) audit.Reporter { return audit.HTTP("chaperone:9000", audit.HTTPOptions{}) },
	} {
		t.Run(outcome, func(t *testing.T) { reportertest.Down(t, open) })
	}
}

func TestHTTPSaysWhatIsWrongAndNotTheToken(t *testing.T) {
	const token = "tomato"
	bad := `{"title":"Records cannot be taken","status":422,"detail":"Of 9 records 7 cannot be taken, so none has been.","records":[` +
		strings.TrimSuffix(strings.Repeat(`{"index":3,"reason":"count: missing"},`, 7), ",") + `]}`
	for want, answer := range map[string]struct {
		status int
		text   string
	}{
		"422 Unprocessable Entity: Records cannot be taken: Of 9 records 7 cannot be taken, so none has been.; record 3: count: missing": {422, bad},
		"; and 2 more": {422, bad},
		`502 Bad Gateway; is this chaperone? It says "you sent Bearer ***"`: {502, "you sent Bearer " + token},
		"404 Not Found": {404, ""},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(answer.status)
			_, _ = io.WriteString(w, answer.text)
		}))
		err := audit.HTTP(s.URL, audit.HTTPOptions{Token: token}).Report(t.Context(), reportertest.Records("x"))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), token) {
			t.Errorf("got %v, want %s", err, want)
		}
		s.Close()
	}
	for _, address := range []string{"", "ftp://u:tomato@h", "http://u:tomato@127.0.0.1:1", "http://u:tomato@h\n"} {
		err := audit.HTTP(address, audit.HTTPOptions{Token: token}).Report(t.Context(), reportertest.Records("x"))
		if err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%q: %v", address, err)
		}
	}
	if err := audit.HTTP("http://h", audit.HTTPOptions{Token: "tom\nato"}).Report(t.Context(), reportertest.Records("x")); err == nil || strings.Contains(err.Error(), "ato") {
		t.Errorf("a token that is none: %v", err)
	}
}

func TestHTTPGoesByACertificateOfYourOwn(t *testing.T) {
	e := &endpoint{}
	s := httptest.NewTLSServer(e)
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	if err := audit.HTTP(s.URL+"/under/", audit.HTTPOptions{Token: "tomato", Client: client}).Report(t.Context(), reportertest.Records("x")); err != nil || len(e.arrived()) != 5 {
		t.Errorf("%v, %d records", err, len(e.arrived()))
	}
	if err := audit.HTTP(s.URL, audit.HTTPOptions{}).Report(t.Context(), reportertest.Records("x")); err == nil {
		t.Error("any certificate is trusted")
	}
}
