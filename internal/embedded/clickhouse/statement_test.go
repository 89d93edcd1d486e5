//go:build linux && amd64 && !noembed

package clickhouse

import (
	"errors"
	"strings"
	"testing"
)

func TestParseStatement(t *testing.T) {
	for _, c := range []struct {
		sql       string
		body      bool
		insert    bool
		stream    bool
		format    string
		rewritten string
	}{
		{sql: "SELECT 1", stream: true, format: "TSV"},
		{sql: "SELECT 1 FORMAT JSON", format: "JSON"},
		{sql: "SELECT 1 FORMAT CSV;\n", stream: true, format: "CSV"},
		{sql: "SELECT 1 format native SETTINGS max_threads = 1", stream: true, format: "native"},
		{sql: "SELECT ' FORMAT JSON '", stream: true, format: "TSV"},
		{sql: "-- a\n/* b */ (SELECT 1)", stream: true, format: "TSV"},
		{sql: "SHOW TABLES", format: "TSV"},
		{sql: "INSERT INTO t FORMAT Native", body: true, insert: true, format: "Native", rewritten: "INSERT INTO t"},
		{sql: "INSERT INTO t (a, `select`) FORMAT CSV", body: true, insert: true, format: "CSV", rewritten: "INSERT INTO t (a, `select`)"},
		{sql: "/* x */ insert into t values", body: true, format: "TSV"},
		{sql: "INSERT INTO t", body: true, insert: true, format: "Values"},
		{sql: "INSERT INTO t SELECT 1", body: true, format: "TSV"},
		{sql: "INSERT INTO t FORMAT CSV 1", format: "TSV"},
		{sql: "INSERTED", body: true, format: "TSV"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			st := parseStatement(c.sql, "TSV", c.body)
			if c.rewritten == "" {
				c.rewritten = c.sql
			}
			if st != (statement{sql: c.rewritten, insert: c.insert, format: c.format, stream: c.stream}) {
				t.Errorf("got %+v", st)
			}
		})
	}
}

func FuzzParseStatement(f *testing.F) {
	f.Add("INSERT INTO t (`a`) FORMAT Native", true)
	f.Add("SELECT 'x\\' FORMAT JSON' FORMAT CSV SETTINGS a = 1", false)
	f.Fuzz(func(t *testing.T, sql string, body bool) {
		st := parseStatement(sql, "TSV", body)
		if !strings.HasPrefix(sql, st.sql) {
			t.Errorf("%q became %q", sql, st.sql)
		}
		if st.insert && (!body || st.stream) || st.format == "" {
			t.Errorf("%q is %+v", sql, st)
		}
		if len(unquoted(sql)) != len(sql) {
			t.Errorf("unquoted %q is %q", sql, unquoted(sql))
		}
	})
}

func TestErrorCode(t *testing.T) {
	if got := errorCode(engineError("Code: 60. DB::Exception: Unknown table")); got != 60 {
		t.Errorf("got %d", got)
	}
	if got := errorCode(errors.New("connection reset")); got != unknownException {
		t.Errorf("got %d", got)
	}
}
