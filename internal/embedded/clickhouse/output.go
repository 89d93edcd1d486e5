//go:build linux && amd64 && !noembed

package clickhouse

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
)

// An output is the answer to a request, compressed as the client asked. The
// status is sent with the first byte, so that an error before it has its own.
type output struct {
	w       http.ResponseWriter
	version string
	blocks  *compress.Writer // ClickHouse's compression
	gzip    *gzip.Writer     // HTTP's
	started bool
}

func newOutput(w http.ResponseWriter, r *http.Request, q url.Values, version string) *output {
	o := &output{w: w, version: version}
	switch {
	case q.Get("compress") == "1":
		method := compress.LZ4
		if strings.EqualFold(q.Get("network_compression_method"), "ZSTD") {
			method = compress.ZSTD
		}
		o.blocks = compress.NewWriter(0, method)
	case q.Get("enable_http_compression") == "1" && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip"):
		o.gzip = gzip.NewWriter(w)
	}
	return o
}

// start sends the status, if nothing has been sent yet.
func (o *output) start() {
	if o.started {
		return
	}
	o.started = true
	if o.gzip != nil {
		o.w.Header().Set("Content-Encoding", "gzip")
	}
	o.w.WriteHeader(http.StatusOK)
}

// maxBlock is how much is compressed at once.
const maxBlock = 1 << 20

func (o *output) Write(b []byte) (int, error) {
	o.start()
	switch {
	case o.gzip != nil:
		return o.gzip.Write(b)
	case o.blocks == nil:
		return o.w.Write(b)
	}
	for rest := b; len(rest) > 0; {
		part := rest[:min(len(rest), maxBlock)]
		if err := o.blocks.Compress(part); err != nil {
			return 0, err
		}
		if _, err := o.w.Write(o.blocks.Data); err != nil {
			return 0, err
		}
		rest = rest[len(part):]
	}
	return len(b), nil
}

// Close ends the answer.
func (o *output) Close() {
	if o.started && o.gzip != nil {
		_ = o.gzip.Close()
	}
}

// format names the format of the answer.
func (o *output) format(name string) {
	h := o.w.Header()
	h.Set("X-ClickHouse-Format", name)
	switch strings.ToLower(name) {
	case "json", "jsoncompact":
		h.Set("Content-Type", "application/json; charset=UTF-8")
	case "jsoneachrow", "jsoncompacteachrow":
		h.Set("Content-Type", "application/x-ndjson; charset=UTF-8")
	case "csv", "csvwithnames":
		h.Set("Content-Type", "text/csv; charset=UTF-8; header=absent")
	case "native", "rowbinary":
		h.Set("Content-Type", "application/octet-stream")
	default:
		h.Set("Content-Type", "text/plain; charset=UTF-8")
	}
}

// summary says how many rows were read and written.
func (o *output) summary(read, written uint64) {
	o.w.Header().Set("X-ClickHouse-Summary", fmt.Sprintf(`{"read_rows":"%d","written_rows":"%d"}`, read, written))
}

// fail answers with an error: as the status and text, or, when a part of the
// result is out already, as the frame that clients look for at its end.
func (o *output) fail(err error) {
	text, code := strings.TrimSpace(err.Error()), errorCode(err)
	if !strings.HasPrefix(text, "Code:") {
		text = fmt.Sprintf("Code: %d. DB::Exception: %s", code, text)
	}
	if !strings.Contains(text, "(version ") {
		text += " (version " + o.version + " (chaperone embedded))"
	}
	text += "\n"
	if o.started {
		var w io.Writer = o.w
		if o.gzip != nil {
			w = o.gzip
		}
		_, _ = fmt.Fprintf(w, "\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n", exceptionTag, text, len(text), exceptionTag)
		return
	}
	o.started, o.gzip = true, nil
	h := o.w.Header()
	h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(code))
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	o.w.WriteHeader(httpStatus(code))
	if o.blocks != nil && o.blocks.Compress([]byte(text)) == nil {
		text = string(o.blocks.Data)
	}
	_, _ = io.WriteString(o.w, text)
}
