package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/query"
)

// Sources knows who counts what. Its errors wrap query.ErrUnavailable while it
// is still being read. Safe for concurrent use.
type Sources interface {
	// Progress lists the sources of a topic, of all topics for "".
	Progress(ctx context.Context, topic string) ([]query.Progress, error)
	// Instances lists the application instances that count a topic, likewise.
	Instances(ctx context.Context, topic string) ([]query.Instance, error)
	// Missed lists the ranges that nobody can count, likewise.
	Missed(ctx context.Context, topic string) ([]query.Missed, error)
}

// Audited is the list of topics that were added by hand: settings.Settings.
type Audited interface {
	AddTopic(ctx context.Context, name string) error
	Topics() []string
}

// Options of a Server. Query, Health and Log must be set.
type Options struct {
	Query   query.Source
	Sources Sources // nil: nobody can tell
	// Judged knows what the judge has said; nil: nobody can tell.
	Judged query.Judged
	// JudgedSince is the start, in Unix seconds, of the first window from which on Judged
	// has every verdict; nil: it has all.
	JudgedSince func() int64
	Audited     Audited // nil: topics cannot be added here
	// Alerts knows what rules have found; nil: nobody does.
	Alerts query.Alerting
	// Inbox takes what applications report. Here it is called by many at once. nil:
	// records are not taken here.
	Inbox audit.Reporter
	Token string // that reporting needs; empty: none
	// KafkaTiers are those of the Kafka clusters. Applications cannot report for them.
	KafkaTiers []string
	// Clusters names the clusters that have a topic; nil: those where it is counted.
	Clusters func(ctx context.Context, topic string) ([]string, error)
	// Records gives the records that counts are made of; nil: they cannot be had.
	Records query.Recorded
	Health  *health.Registry
	// Ready says why questions cannot be answered yet; nil: they can.
	Ready   func() error
	Metrics prometheus.Gatherer // nil: there are none
	// Register is told of the server's own metrics; nil: there are none.
	Register prometheus.Registerer
	Log      *slog.Logger
	Version  string
	Now      func() time.Time // nil: time.Now
	// MaxRows bounds an answer; 50,000 if 0. Timeout bounds a request; 30 s if 0.
	MaxRows int
	Timeout time.Duration
	// MaxBody bounds a report, MaxBodies all that are being taken at once, in bytes,
	// decompressed; 16 MiB and 64 MiB if 0.
	MaxBody, MaxBodies int64
}

// A Server answers. Make one with New; don't forget to Serve.
type Server struct {
	o       Options
	echo    *echo.Echo
	metrics *metrics
	held    atomic.Int64 // bytes of reports that are being taken
}

// maxBody of a request that is no report, in bytes.
const maxBody = 64 << 10

// New makes a server.
func New(o Options) *Server {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxRows == 0 {
		o.MaxRows = 50_000
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxBody == 0 {
		o.MaxBody = 16 << 20
	}
	if o.MaxBodies == 0 {
		o.MaxBodies = 64 << 20
	}
	s := &Server{o: o, echo: echo.New(), metrics: newMetrics(o.Register)}
	s.echo.HTTPErrorHandler = s.problem
	s.echo.Use(s.logged, s.recovered, s.bounded)
	s.routes()
	return s
}

func (s *Server) routes() {
	e := s.echo
	e.GET("/", s.index)
	e.GET("/health", s.health)
	e.GET("/ready", s.ready)
	if s.o.Metrics != nil {
		e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(s.o.Metrics, promhttp.HandlerOpts{})))
	}
	// The original's.
	e.GET("/topics", s.audited)
	e.POST("/topics", s.addTopic)

	// Those of tools that ask for counts; see compatible.go.
	e.GET("/gobblin/audit", s.gobblinTotals)
	e.GET("/gobblin/audit/:topic", s.gobblinResult)
	e.GET("/chaperone3/rawmetrics", s.rawMetrics)

	v1 := e.Group("/api/v1")
	v1.GET("/topics", s.topics)
	v1.GET("/topics/:topic/windows", s.windows)
	v1.GET("/sources", s.sources)
	v1.GET("/instances", s.instances)
	v1.GET("/missed", s.missed)
	e.GET(completenessPath, s.completeness)
	v1.GET("/verdicts", s.verdicts)
	v1.GET("/topics/:topic/verdicts", s.verdicts)
	v1.GET("/topics/:topic/why", s.why)
	v1.GET("/topics/:topic/lateness", s.lateness)
	v1.GET("/alerts", s.alerts)
	v1.GET("/topics/:topic/records", s.records)
	e.POST(reportPath, s.report)
	v1.GET("/openapi.yaml", s.openAPI("application/yaml", OpenAPI))
	v1.GET("/openapi.json", s.openAPI(echo.MIMEApplicationJSON, openAPIJSON()))
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.echo.ServeHTTP(w, r) }

// Serve answers on a listener until ctx ends, then lets requests end for at most
// 5 s, and returns nil. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      2*s.o.Timeout + mostWait,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(end); err != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve http on %s: %w", l.Addr(), err)
}

// recovered makes an error of a panic: one request fails, and the log has the
// stack.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch r := recover(); r {
			case nil:
			case http.ErrAbortHandler:
				panic(r) // net/http wants it
			default:
				s.o.Log.Error("a request panicked", "path", c.Request().URL.Path, "panic", r, "stack", string(debug.Stack()))
				err = fmt.Errorf("panic: %v", r)
			}
		}()
		return next(c)
	}
}

// bounded limits how long a request may take and how much it may send.
func (s *Server) bounded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		timeout := s.o.Timeout
		if c.Path() == completenessPath {
			timeout += mostWait // it may be asked to
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		r = r.WithContext(ctx)
		most := int64(maxBody)
		if c.Path() == reportPath {
			most = s.o.MaxBody
		}
		r.Body = http.MaxBytesReader(c.Response(), r.Body, most)
		c.SetRequest(r)
		return next(c)
	}
}

// logged is the access log.
func (s *Server) logged(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begin := time.Now()
		if err := next(c); err != nil {
			c.Error(err) // writes the answer, so that its status is known here
		}
		r := c.Request()
		s.o.Log.Debug("request", "method", r.Method, "path", r.URL.Path, "query", r.URL.RawQuery,
			"status", c.Response().Status, "bytes", c.Response().Size, "took", time.Since(begin), "from", r.RemoteAddr)
		return nil
	}
}

// Routes lists what is served as method and path, parameters marked by a colon.
func (s *Server) Routes() (list []string) {
	for _, r := range s.echo.Routes() {
		if r.Method != echo.RouteNotFound {
			list = append(list, r.Method+" "+r.Path)
		}
	}
	return list
}
