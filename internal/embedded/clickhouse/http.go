//go:build linux && amd64 && !noembed

package clickhouse

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/ch-go/compress"
)

// A handler is ClickHouse's HTTP interface over an engine: statements by GET
// and POST, parameters, settings, formats, compression, sessions, errors.
type handler struct {
	e    *engine
	dir  string
	keep *session      // keeps the engine open between requests
	turn chan struct{} // bounds the statements that run at once
	tags atomic.Uint64

	version, timezone string

	mu       sync.Mutex
	sessions map[string]*namedSession
}

// A namedSession outlives its request, by session_id.
type namedSession struct {
	*session
	busy bool
	used time.Time
}

// Idle sessions are closed after so long, and there are at most so many.
const (
	sessionIdle = 10 * time.Minute
	maxSessions = 100
)

// newHandler opens the data directory.
func newHandler(e *engine, dir string, serverSettings ...string) (*handler, error) {
	h := &handler{e: e, dir: dir, turn: make(chan struct{}, 4*runtime.NumCPU()), sessions: map[string]*namedSession{}}
	var err error
	if h.keep, err = e.connect(append([]string{"--path=" + dir}, serverSettings...)...); err != nil {
		return nil, err
	}
	out, err := h.keep.Text("SELECT version(), timezone()")
	if err != nil {
		return nil, err
	}
	h.version, h.timezone, _ = strings.Cut(strings.TrimSpace(out), "\t")
	return h, nil
}

// Close closes the engine. Requests must have ended.
func (h *handler) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.sessions {
		s.Close()
	}
	h.keep.Close()
}

// exceptionTag frames an error in the middle of a result.
const exceptionTag = "chaperoneengine0"

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-ClickHouse-Server-Display-Name", "chaperone")
	header.Set("X-ClickHouse-Timezone", h.timezone)
	header.Set("X-ClickHouse-Exception-Tag", exceptionTag)
	q := r.URL.Query()
	o := newOutput(w, r, q, h.version)
	defer o.Close()
	if err := foreign(r); err != nil {
		o.fail(err)
		return
	}
	switch {
	case r.URL.Path == healthPath:
		if err := h.alive(); err != nil {
			o.fail(err)
			return
		}
		fallthrough
	case r.URL.Path == "/ping", r.URL.Path == "/replicas_status", r.Method == http.MethodGet && !q.Has("query"):
		_, _ = io.WriteString(w, "Ok.\n")
		return
	}
	if err := h.serve(r, q, o); err != nil {
		o.fail(err)
	}
}

// foreign refuses what a web page of somebody else could make a browser send:
// the port needs no password, and a browser can reach it.
func foreign(r *http.Request) error {
	for _, name := range []string{r.Host, r.Header.Get("Origin")} {
		if name == "" {
			continue
		}
		if u, err := url.Parse(name); err == nil && u.Host != "" {
			name = u.Host
		}
		if host, _, err := net.SplitHostPort(name); err == nil {
			name = host
		}
		if ip := net.ParseIP(strings.Trim(name, "[]")); name != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return engineError("Code: 516. DB::Exception: the embedded ClickHouse answers to localhost only, not to " + strconv.Quote(name) + ". (AUTHENTICATION_FAILED)")
		}
	}
	return nil
}

func (h *handler) alive() error {
	s, err := h.e.connect("--path=" + h.dir)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.Text("SELECT 1")
	return err
}

// serve runs the statement of a request.
func (h *handler) serve(r *http.Request, q url.Values, o *output) error {
	body, err := requestBody(r, q)
	if err != nil {
		return err
	}
	format := "TabSeparated"
	for _, f := range []string{q.Get("default_format"), r.Header.Get("X-ClickHouse-Format")} {
		if f != "" {
			format = f
		}
	}
	st := parseStatement(q.Get("query"), format, r.Method != http.MethodGet && q.Has("query"))
	if !st.insert {
		rest, err := io.ReadAll(body)
		if err != nil {
			return fmt.Errorf("read the statement: %w", err)
		}
		sql := q.Get("query")
		if sql != "" && len(rest) > 0 {
			sql += "\n"
		}
		st = parseStatement(sql+string(rest), format, false)
	}
	if revision, _ := strconv.ParseUint(q.Get("client_protocol_version"), 10, 64); revision > 0 && strings.TrimSpace(st.sql) == handshakeQuery {
		return h.handshake(o, revision)
	}

	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-r.Context().Done():
		return r.Context().Err()
	}
	s, release, err := h.session(q.Get("session_id"))
	if err != nil {
		return err
	}
	defer release()
	params, stop, err := h.prepare(s, r, q)
	if err != nil {
		return err
	}
	defer stop()
	o.format(st.format)
	switch {
	case st.insert:
		return h.insert(r.Context(), s, st, params, body, o)
	case st.stream:
		return s.Stream(st.sql, st.format, params, func(b []byte) error {
			if err := r.Context().Err(); err != nil {
				return err
			}
			_, err := o.Write(b)
			return err
		})
	}
	res, err := s.Query(st.sql, st.format, params)
	if err != nil {
		return err
	}
	defer res.Free()
	o.summary(res.Read(), res.Written())
	_, err = o.Write(res.Bytes())
	return err
}

// interfaceParams are URL parameters that are not settings. Those of
// asynchronous inserts are among them because the engine has none: it inserts at once.
var interfaceParams = []string{
	"query", "database", "default_format", "client_protocol_version", "query_id", "session_id", "session_timeout", "session_check",
	"user", "password", "quota_key", "role", "compress", "decompress", "network_compression_method", "network_zstd_compression_level",
	"buffer_size", "wait_end_of_query", "http_write_exception_in_output_format", "send_progress_in_http_headers",
	"enable_http_compression", "http_zlib_compression_level", "async_insert", "wait_for_async_insert", "async_insert_busy_timeout_ms",
	"async_insert_max_data_size", "allow_experimental_object_type",
}

// prepare gives a session the database and settings of the request, and sees
// to it that its statement is killed when the client goes away.
func (h *handler) prepare(s *session, r *http.Request, q url.Values) (params map[string]string, stop func() bool, err error) {
	db := q.Get("database")
	if db == "" {
		db = r.Header.Get("X-ClickHouse-Database")
	}
	if db != "" && db != "default" {
		if _, err := s.Text("USE " + quoteName(db)); err != nil {
			return nil, nil, err
		}
	}
	tag := "chaperone-" + strconv.FormatUint(h.tags.Add(1), 10)
	settings := []string{"log_comment = " + quoteString(tag)}
	params = map[string]string{}
	for name, values := range q {
		if p, ok := strings.CutPrefix(name, "param_"); ok {
			params[p] = values[0]
		} else if !slices.Contains(interfaceParams, name) {
			settings = append(settings, quoteName(name)+" = "+quoteString(values[0]))
		}
	}
	if r.Method == http.MethodGet && !q.Has("session_id") { // a session would keep it, and refuse a later POST
		settings = append(settings, "readonly = 2")
	}
	if _, err := s.Text("SET " + strings.Join(settings, ", ")); err != nil {
		return nil, nil, err
	}
	return params, context.AfterFunc(r.Context(), func() { h.kill(tag) }), nil
}

// kill ends the statement with the tag, if it still runs.
func (h *handler) kill(tag string) {
	s, err := h.e.connect("--path=" + h.dir)
	if err != nil {
		return
	}
	defer s.Close()
	_, _ = s.Text("KILL QUERY WHERE Settings['log_comment'] = " + quoteString(tag) + " AND query NOT LIKE 'KILL%' ASYNC")
}

// session gives a fresh session, or the one that the client named.
func (h *handler) session(id string) (*session, func(), error) {
	if id == "" {
		s, err := h.e.connect("--path=" + h.dir)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	for name, s := range h.sessions {
		if !s.busy && now.Sub(s.used) > sessionIdle {
			s.Close()
			delete(h.sessions, name)
		}
	}
	s := h.sessions[id]
	switch {
	case s != nil && s.busy:
		return nil, nil, engineError("Code: 373. DB::Exception: Session " + id + " is locked by a concurrent client. (SESSION_IS_LOCKED)")
	case s == nil && len(h.sessions) >= maxSessions:
		return nil, nil, engineError(fmt.Sprintf("Code: 202. DB::Exception: there are already %d sessions. (TOO_MANY_SIMULTANEOUS_QUERIES)", maxSessions))
	case s == nil:
		fresh, err := h.e.connect("--path=" + h.dir)
		if err != nil {
			return nil, nil, err
		}
		s = &namedSession{session: fresh}
		h.sessions[id] = s
	}
	s.busy = true
	return s.session, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		s.busy, s.used = false, time.Now()
	}, nil
}

// requestBody undoes the compression of HTTP and that of ClickHouse.
func requestBody(r *http.Request, q url.Values) (io.Reader, error) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("read a gzip body: %w", err)
		}
		body = unzipped
	}
	if q.Get("decompress") == "1" {
		src := &counted{r: body}
		body = &blocks{src: src, dec: compress.NewReader(src)}
	}
	return body, nil
}

// blocks reads compressed blocks. Their reader wraps io.EOF wherever the body
// ends; only an end between two blocks is one.
type blocks struct {
	src *counted
	dec *compress.Reader
}

func (b *blocks) Read(p []byte) (int, error) {
	before := b.src.n
	n, err := b.dec.Read(p)
	switch {
	case !errors.Is(err, io.EOF):
		return n, err
	case b.src.n == before:
		return n, io.EOF
	}
	return n, io.ErrUnexpectedEOF
}

// counted counts what it reads.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
