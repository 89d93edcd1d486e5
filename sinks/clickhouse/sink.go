// Package clickhouse keeps records, verdicts and alerts in ClickHouse and answers
// from there, by clickhouse-go over HTTP or, where the DSN says so, the native protocol.
//
// What is in the database (migrations/*.sql, applied by New):
//
//	audit_records  window records as they came: ReplacingMergeTree by version, ordered by
//	               identity, a partition per month of the window
//	audit_events   progress, missed, hello, goodbye and kinds that are not known yet
//	audit_bases    recounts that operators asked for, filled from both
//	verdicts       what the judge said of each window: ReplacingMergeTree by version
//	alert_events   what the rules found, in each state that an alert has had
//	audit          view: the newest record of each source and window, superseded generations
//	               left out. Sums over it are right
//	windows        view: totals per topic, window and tier, with latency percentiles
//	latency        view: latency percentiles per topic, window, tier and datacenter
//	completeness   view: whether what went into each window came out
//	loss           view: how neighbouring tiers differ in each window
//	alerts         view: the newest word of each alert
//	schema_migrations  which of the files have been applied
//
// Writing is idempotent because rows of one identity replace each other; who
// wrote a record (its owner) is no part of that. Until ClickHouse has merged
// parts, several versions of a row are there: the views use FINAL. Verdicts and
// alerts are kept as JSON besides, and that is what is read back: their columns
// are for people.
//
// Time to live: rows go when their window is older than Options.TTL. ClickHouse
// also drops, at INSERT or soon after and without an error, what is older already; so a replay
// of old data into a store with a short TTL stores nothing. Windows before 1970
// are as old as 1970.
package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/sinks"
)

// Options say where the store is and how long it keeps.
type Options struct {
	// DSN is as clickhouse-go takes it: http://user:password@host:8123/database or
	// https://...?secure=true for HTTP, clickhouse://host:9000 for the native
	// protocol. What it does not know among the parameters is a setting of ClickHouse.
	DSN string
	// Database overrides that of the DSN; "chaperone" where neither says any. It is
	// created if it is not there.
	Database string
	// TTL is how long after its start a window is kept, rounded to seconds; 0 is for
	// ever. Changing it changes the tables when New runs next.
	TTL time.Duration
	// Timeout bounds each call to ClickHouse; default 30 s.
	Timeout time.Duration
	// Log hears when the store is away at the start; nil is silence.
	Log *slog.Logger
}

// maxTTL keeps the end of life of a row inside what a DateTime can say.
const maxTTL = 25 * 365 * 24 * time.Hour

// A Sink writes to ClickHouse and reads from it. Safe for concurrent use.
type Sink struct {
	opts   Options
	dsn    driver.Options // without a database
	secret string         // never to appear in an error

	turn chan struct{} // taken while setting up, and by Close
	conn driver.Conn   // nil until then
	// spares says that inserts may ask for room to spare: ClickHouse before 24.10 does
	// not know that. Set with conn.
	spares bool
}

var _ sinks.Sink = (*Sink)(nil)

// New connects, and creates or migrates the tables. A store that cannot be
// reached or is not ready is no error: it is logged, and each Write and query
// tries again. An error is what will not heal: a DSN or TTL that makes no sense,
// or a database that a newer chaperone has migrated.
func New(ctx context.Context, opts Options) (*Sink, error) {
	opts.Timeout = cmp.Or(opts.Timeout, 30*time.Second)
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.TTL < 0 || opts.TTL > maxTTL || opts.TTL > 0 && opts.TTL < time.Second {
		return nil, fmt.Errorf("clickhouse: a TTL of %s: give 0 (for ever) or 1s to %s", opts.TTL, maxTTL)
	}
	s := &Sink{opts: opts, turn: make(chan struct{}, 1)}
	if err := s.parse(); err != nil {
		return nil, err
	}
	if _, err := s.ready(ctx); err != nil {
		if errors.Is(err, errNewerSchema) {
			return nil, err
		}
		opts.Log.Warn("ClickHouse is not ready; trying again with each batch", "error", err)
	}
	return s, nil
}

// parse reads the DSN.
func (s *Sink) parse() error {
	dsn := s.opts.DSN
	if u, err := url.Parse(dsn); err == nil && u.Scheme == "https" && !u.Query().Has("secure") {
		q := u.Query() // clickhouse-go wants to be told twice
		q.Set("secure", "true")
		u.RawQuery = q.Encode()
		dsn = u.String()
	}
	o, err := driver.ParseDSN(dsn)
	if err != nil {
		return fmt.Errorf("clickhouse: the DSN cannot be read (want http://user:password@host:8123/database): %w", err)
	}
	s.secret = o.Auth.Password
	s.opts.Database = cmp.Or(s.opts.Database, o.Auth.Database, "chaperone")
	o.Auth.Database = ""
	o.DialTimeout = min(cmp.Or(o.DialTimeout, 5*time.Second), s.opts.Timeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, s.opts.Timeout)
	if o.Compression == nil {
		o.Compression = &driver.Compression{Method: driver.CompressionLZ4}
	}
	o.ClientInfo.Products = append(o.ClientInfo.Products, struct{ Name, Version string }{"chaperone", "1"})
	s.dsn = *o
	return nil
}

// ready gives the connection, after setting the database up if that has not
// happened yet.
func (s *Sink) ready(ctx context.Context) (driver.Conn, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.conn != nil {
		return s.conn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	admin, err := driver.Open(&s.dsn)
	if err != nil {
		return nil, s.fail("connect", err)
	}
	defer admin.Close()
	if err := createDatabase(ctx, admin, s.opts.Database); err != nil {
		return nil, s.fail("create the database "+s.opts.Database, err)
	}
	own := s.dsn
	own.Auth.Database = s.opts.Database
	conn, err := driver.Open(&own)
	if err != nil {
		return nil, s.fail("connect", err)
	}
	if err := setUp(ctx, conn, s.opts.Database, s.opts.TTL); err != nil {
		_ = conn.Close()
		return nil, s.fail("set up the tables of "+s.opts.Database, err)
	}
	var known uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM system.settings WHERE name = ?", spareSetting).Scan(&known); err != nil {
		_ = conn.Close()
		return nil, s.fail("ask what settings it knows", err)
	}
	s.conn, s.spares = conn, known > 0
	return conn, nil
}

// Close implements sinks.Sink.
func (s *Sink) Close() error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

// fail says what was tried where, without the password.
func (s *Sink) fail(operation string, err error) error {
	text := fmt.Sprintf("clickhouse %s: %s: %v", strings.Join(s.dsn.Addr, ","), operation, brief(err))
	if s.secret != "" {
		for _, secret := range []string{s.secret, url.QueryEscape(s.secret), url.PathEscape(s.secret)} {
			text = strings.ReplaceAll(text, secret, "xxxxx")
		}
	}
	return &failure{text: text, cause: err}
}

// brief leaves out the address of a request that did not get through: it holds
// the whole statement, which nobody reads in a log at night.
func brief(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// A failure is an error whose text has been cleaned of secrets.
type failure struct {
	text  string
	cause error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.cause }
