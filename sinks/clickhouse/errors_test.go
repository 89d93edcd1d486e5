package clickhouse_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse/clickhousetest"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
	"github.com/chaperone-audit/chaperone/sinks/clickhouse"
)

// flaky is a proxy in front of ClickHouse that can be told to misbehave.
type flaky struct {
	dsn    string
	answer atomic.Pointer[func(http.ResponseWriter, *http.Request) (done bool)]
}

func newFlaky(t *testing.T) *flaky {
	t.Helper()
	behind, err := url.Parse(clickhousetest.MustDSN(t))
	must(t, err)
	if behind.Scheme != "http" {
		t.Skip("the proxy of this test speaks HTTP")
	}
	f := &flaky{}
	behind.User = nil
	proxy := httputil.NewSingleHostReverseProxy(behind)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := f.answer.Load(); answer == nil || !(*answer)(w, r) {
			r.Header.Del("Authorization")
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	f.dsn = strings.Replace(srv.URL, "http://", "http://default:s3cret%2Fpass@", 1)
	return f
}

func (f *flaky) be(answer func(http.ResponseWriter, *http.Request) bool) {
	if answer == nil {
		f.answer.Store(nil)
		return
	}
	f.answer.Store(&answer)
}

// exception answers inserts and reads as ClickHouse answers with an error.
func exception(code, name string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("X-ClickHouse-Exception-Code", code)
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("Code: " + code + ". DB::Exception: no, said s3cret/pass and s3cret%2Fpass. (" + name + ")\n"))
		return true
	}
}

func TestErrors(t *testing.T) {
	f := newFlaky(t)
	s := open(t, clickhouse.Options{DSN: f.dsn, Database: freshName(t), Timeout: 5 * time.Second})
	defer s.Close()
	batch := []*audit.Record{record("orders", 600, 9, 3)}
	must(t, s.Write(t.Context(), batch))
	for _, c := range []struct {
		outcome  string
		be       func(http.ResponseWriter, *http.Request) bool
		rejected bool
	}{
		{"type mismatch is a rejection", exception("53", "TYPE_MISMATCH"), true},
		{"a value out of range is a rejection", exception("321", "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE"), true},
		{"a broken constraint is a rejection", exception("469", "VIOLATED_CONSTRAINT"), true},
		{"a body too large for a proxy is a rejection, for half of it may pass", func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return true
		}, true},
		{"too many parts is worth another try", exception("252", "TOO_MANY_PARTS"), false},
		{"read-only is worth another try", exception("164", "READONLY"), false},
		{"a missing table is worth another try", exception("60", "UNKNOWN_TABLE"), false},
		{"a memory limit is worth another try", exception("241", "MEMORY_LIMIT_EXCEEDED"), false},
		{"a wrong password is worth another try", exception("516", "AUTHENTICATION_FAILED"), false},
		{"a proxy without a server behind it is worth another try", func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}, false},
		{"a cut connection is worth another try", func(w http.ResponseWriter, _ *http.Request) bool {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = c.Close()
			}
			return true
		}, false},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			f.be(c.be)
			defer f.be(nil)
			err := s.Write(t.Context(), batch)
			if err == nil || errors.Is(err, sinks.ErrRejected) != c.rejected {
				t.Errorf("write: %v", err)
			}
			_, qerr := s.Windows(t.Context(), query.Windows{Topic: "orders", To: 1 << 40})
			if !errors.Is(qerr, query.ErrUnavailable) {
				t.Errorf("windows: %v", qerr)
			}
			if _, err := s.Topics(t.Context(), 0, 1); !errors.Is(err, query.ErrUnavailable) {
				t.Errorf("topics: %v", err)
			}
			for _, e := range []error{err, qerr} {
				if e != nil && strings.Contains(e.Error(), "s3cret") {
					t.Errorf("it tells the password: %v", e)
				}
			}
		})
	}
	t.Run("and then all is well again", func(t *testing.T) {
		must(t, s.Write(t.Context(), batch))
		if rows, err := s.Windows(t.Context(), query.Windows{Topic: "orders", To: 1 << 40}); err != nil || len(rows) != 1 || rows[0].Count != 3 {
			t.Errorf("got %+v, %v", rows, err)
		}
	})
}

func TestACallThatHangsEndsWithItsTimeout(t *testing.T) {
	f := newFlaky(t)
	s := open(t, clickhouse.Options{DSN: f.dsn, Database: freshName(t), Timeout: 2 * time.Second})
	defer s.Close()
	must(t, s.Write(t.Context(), []*audit.Record{record("orders", 600, 9, 3)}))
	f.be(func(_ http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // a server notices that its client has gone only then
		<-r.Context().Done()
		return true
	})
	if err := s.Write(t.Context(), []*audit.Record{record("orders", 600, 9, 3)}); err == nil || errors.Is(err, sinks.ErrRejected) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Windows(t.Context(), query.Windows{Topic: "orders"}); !errors.Is(err, query.ErrUnavailable) {
		t.Errorf("windows: %v", err)
	}
}

func TestAStoreThatIsAwayAtTheStartIsSetUpLater(t *testing.T) {
	f := newFlaky(t)
	f.be(exception("210", "NETWORK_ERROR"))
	s := open(t, clickhouse.Options{DSN: f.dsn, Database: freshName(t)})
	defer s.Close()
	batch := []*audit.Record{record("orders", 600, 9, 3)}
	if err := s.Write(t.Context(), batch); err == nil || errors.Is(err, sinks.ErrRejected) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Topics(t.Context(), 0, 1); !errors.Is(err, query.ErrUnavailable) {
		t.Errorf("topics: %v", err)
	}
	f.be(nil)
	must(t, s.Write(t.Context(), batch))
	if rows, err := s.Windows(t.Context(), query.Windows{Topic: "orders", To: 1 << 40}); err != nil || len(rows) != 1 {
		t.Errorf("got %+v, %v", rows, err)
	}
}

func TestWhatWillNotHealIsSaidAtOnce(t *testing.T) {
	for _, c := range []struct {
		outcome string
		opts    clickhouse.Options
		want    string
	}{
		{"no DSN", clickhouse.Options{}, "DSN"},
		{"a DSN that is none", clickhouse.Options{DSN: "http://u:hush#hush@[::1"}, "DSN"},
		{"a negative TTL", clickhouse.Options{DSN: "http://localhost:1", TTL: -1}, "TTL"},
		{"a TTL of centuries", clickhouse.Options{DSN: "http://localhost:1", TTL: 100 * 365 * 24 * time.Hour}, "TTL"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			_, err := clickhouse.New(t.Context(), c.opts)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hush") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Where the DSN says clickhouse://, the native protocol is spoken: the first
// bytes are its hello, not an HTTP request.
func TestTheSchemeOfTheDSNChoosesTheProtocol(t *testing.T) {
	for _, c := range []struct {
		scheme string
		native bool
	}{{"clickhouse", true}, {"tcp", true}, {"http", false}} {
		t.Run(c.scheme, func(t *testing.T) {
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			must(t, err)
			defer l.Close()
			first := make(chan byte, 10)
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					b := make([]byte, 1)
					if _, err := conn.Read(b); err == nil {
						select {
						case first <- b[0]:
						default:
						}
					}
					_ = conn.Close()
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			s, err := clickhouse.New(ctx, clickhouse.Options{DSN: c.scheme + "://" + l.Addr().String()})
			must(t, err)
			defer s.Close()
			if b := <-first; (b == 0) != c.native {
				t.Errorf("the first byte is %d", b)
			}
		})
	}
}
