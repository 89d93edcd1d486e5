package clickhouse_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go/compress"
	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse/clickhousetest"
)

// ask is curl.
func ask(t *testing.T, method, query, body string, headers ...string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+clickhousetest.MustServer(t).Addr()+"/"+query, strings.NewReader(body))
	must(t, err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(b)
}

func TestHTTPInterface(t *testing.T) {
	for _, c := range []struct {
		outcome, method, query, body string
		headers                      []string
		status                       int
		want                         string // a part of the answer
	}{
		{"ping", "GET", "ping", "", nil, 200, "Ok.\n"},
		{"no statement is a ping", "GET", "", "", nil, 200, "Ok.\n"},
		{"a statement in the address", "GET", "?query=SELECT+1", "", nil, 200, "1\n"},
		{"a statement in the body", "POST", "", "SELECT 1, 'x'", nil, 200, "1\tx\n"},
		{"a statement cut between both", "POST", "?query=SELECT", "2", nil, 200, "2\n"},
		{"a format in the statement", "POST", "", "SELECT 1 AS a FORMAT JSONEachRow", nil, 200, `{"a":1}` + "\n"},
		{"a default format", "GET", "?query=SELECT+1+AS+a&default_format=CSVWithNames", "", nil, 200, "\"a\"\n1\n"},
		{"a format in a header", "POST", "", "SELECT 1 AS a", []string{"X-ClickHouse-Format", "JSONCompactEachRow"}, 200, "[1]\n"},
		{"parameters", "GET", "?query=SELECT+{s:String}&param_s=a%27b", "", nil, 200, "a\\'b\n"},
		{"what GET may not do", "GET", "?query=CREATE+DATABASE+x", "", nil, 500, "Code: 164."},
		{"an unknown table", "POST", "", "SELECT * FROM nothing.at_all", nil, 404, "Code: 81."},
		{"bad syntax", "POST", "", "SELECT FROM WHERE", nil, 400, "SYNTAX_ERROR"},
		{"another database", "GET", "?query=SELECT+currentDatabase()&database=system", "", nil, 200, "system\n"},
		{"a web page of somebody else is refused", "POST", "", "SELECT 1", []string{"Origin", "https://example.org"}, 403, "Code: 516."},
		{"a name of somebody else for this host is refused", "POST", "", "SELECT 1", []string{"Host", "example.org:80"}, 403, "Code: 516."},
		{"a local page is served", "POST", "", "SELECT 1", []string{"Origin", "http://localhost:9000"}, 200, "1\n"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			status, text := ask(t, c.method, c.query, c.body, c.headers...)
			if status != c.status || !strings.Contains(text, c.want) {
				t.Errorf("got %d %q, want %d %q", status, text, c.status, c.want)
			}
		})
	}
	t.Run("a long JSON result is one document", func(t *testing.T) {
		_, text := ask(t, "POST", "", "SELECT number FROM numbers(200000) FORMAT JSON")
		var doc struct{ Rows int }
		if err := json.Unmarshal([]byte(text), &doc); err != nil || doc.Rows != 200000 {
			t.Errorf("%d rows, %v", doc.Rows, err)
		}
	})
	t.Run("gzip goes both ways", func(t *testing.T) {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, _ = z.Write([]byte("SELECT 'zip'"))
		must(t, z.Close())
		_, text := ask(t, "POST", "?enable_http_compression=1", zipped.String(), "Content-Encoding", "gzip", "Accept-Encoding", "gzip")
		r, err := gzip.NewReader(strings.NewReader(text))
		must(t, err)
		if got, err := io.ReadAll(r); err != nil || string(got) != "zip\n" {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

// A client that dies in the middle of an INSERT has inserted nothing.
func TestACutOffInsertCommitsNothing(t *testing.T) {
	conn := open(t, driver.CompressionNone)
	must(t, conn.Exec(t.Context(), "CREATE TABLE rows (a UInt64) ENGINE = MergeTree ORDER BY a"))
	var database string
	must(t, conn.QueryRow(t.Context(), "SELECT currentDatabase()").Scan(&database))
	w := compress.NewWriter(0, compress.LZ4)
	must(t, w.Compress([]byte("1\n2\n3\n")))
	block := string(w.Data)
	insert := func(t *testing.T, params, headers, body string, closeEarly bool) string {
		t.Helper()
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", clickhousetest.MustServer(t).Addr())
		must(t, err)
		defer c.Close()
		_, err = fmt.Fprintf(c, "POST /?%s&database=%s&query=%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n\r\n%s",
			params, database, url.QueryEscape("INSERT INTO rows FORMAT TSV"), headers, body)
		must(t, err)
		if closeEarly {
			must(t, c.(*net.TCPConn).CloseWrite())
		}
		answer, err := io.ReadAll(c)
		must(t, err)
		status, _, _ := strings.Cut(string(answer), "\r\n")
		return status
	}
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d", n) }
	for _, c := range []struct {
		outcome, params, headers, body string
		rows                           uint64
	}{
		{"a body shorter than announced", "", length(100), "1\n2\n3\n", 0},
		{"a chunk without its end", "", "Transfer-Encoding: chunked", "6\r\n1\n2\n3\n\r\n", 0},
		{"half a compressed block", "decompress=1", length(len(block) / 2), block[:len(block)/2], 0},
		{"a compressed header alone", "decompress=1", length(len(block) + 25), block + block[:25], 0},
		{"a row that does not parse", "", length(8), "1\n2\nxyz\n", 0},
		{"a whole body", "", length(6), "1\n2\n3\n", 3},
		{"a whole compressed body", "decompress=1", length(2 * len(block)), block + block, 6},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			must(t, conn.Exec(t.Context(), "TRUNCATE TABLE rows"))
			status := insert(t, c.params, c.headers, c.body, c.rows == 0)
			if ok := strings.Contains(status, "200"); ok != (c.rows > 0) {
				t.Errorf("answered %s", status)
			}
			if n := number(t, conn, "SELECT count() FROM rows"); n != c.rows {
				t.Errorf("%d rows", n)
			}
		})
	}
	t.Run("an insert whose context ended", func(t *testing.T) {
		must(t, conn.Exec(t.Context(), "TRUNCATE TABLE rows"))
		ctx, cancel := context.WithCancel(t.Context())
		b, err := conn.PrepareBatch(ctx, "INSERT INTO rows")
		must(t, err)
		must(t, b.Append(uint64(1)))
		cancel()
		if err := b.Send(); err == nil {
			t.Error("it was sent")
		}
		if n := number(t, conn, "SELECT count() FROM rows"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}
