package audit

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// HTTPOptions of HTTP. None of them must be set.
type HTTPOptions struct {
	// Token is what the configuration of chaperone has as http.token. No error shows it.
	Token string
	// Client is for a TLS configuration or a proxy of your own; nil: http.DefaultClient.
	// Its timeout holds beside that of the Recorder.
	Client *http.Client
}

// HTTP reports to the REST interface of chaperone, at an address such as
// https://chaperone:9000, for programs that have no Kafka client or may not write to the
// audit topic. Each call is one request, compressed, and is not repeated: the Recorder
// does that. Safe for concurrent use.
func HTTP(address string, o HTTPOptions) Reporter {
	h := &httpReporter{token: o.Token, client: o.Client}
	if h.client == nil {
		h.client = http.DefaultClient
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		// Not the address, nor the error that quotes it: it may hold a password.
		h.wrong = errors.New("audit: the address of chaperone is none: want http://host:port or https://host:port")
		return h
	}
	h.url = u.JoinPath("api", "v1", "audit")
	return h
}

type httpReporter struct {
	url    *url.URL
	wrong  error // of the address
	token  string
	client *http.Client
}

func (h *httpReporter) Report(ctx context.Context, records []*Record) error {
	if h.wrong != nil {
		return h.wrong
	}
	if len(records) == 0 {
		return nil
	}
	lines, err := AppendLines(nil, records)
	if err != nil {
		return err
	}
	body, err := compressed(lines)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url.String(), bytes.NewReader(body))
	if err != nil {
		return h.failed(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("Content-Encoding", "gzip")
	// Not sent. It tells net/http that the request may be sent again where a connection
	// that was kept turns out to have been closed meanwhile.
	r.Header["Idempotency-Key"] = []string{}
	if h.token != "" {
		r.Header.Set("Authorization", "Bearer "+h.token)
	}
	resp, err := h.client.Do(r)
	if err != nil {
		return h.failed(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return h.failed(fmt.Errorf("%s, and the answer cannot be read: %w", resp.Status, err))
	}
	if err := acknowledged(resp, answer, len(records)); err != nil {
		return h.failed(err)
	}
	return nil
}

// maxAnswer bounds what is read of an answer; one that names a hundred bad records fits.
const maxAnswer = 256 << 10

// acknowledged says whether an answer means that all records are safe. A status is not
// enough: whatever else listens there may answer 200 to everything.
func acknowledged(resp *http.Response, answer []byte, records int) error {
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: %s%s", ErrTooMany, resp.Status, problemText(answer))
	default:
		return errors.New(resp.Status + problemText(answer))
	}
	var a struct{ Accepted *int }
	if err := json.Unmarshal(answer, &a); err != nil || a.Accepted == nil {
		return fmt.Errorf("%s, but nothing is said to be accepted; is this chaperone? It says %q", resp.Status, begin(answer))
	}
	if *a.Accepted != records {
		return fmt.Errorf("%s, but %d of %d records are accepted", resp.Status, *a.Accepted, records)
	}
	return nil
}

// problemText is what a problem document (RFC 9457) says, or how the answer begins.
func problemText(answer []byte) string {
	var p struct {
		Title, Detail string
		Records       []struct {
			Index  int
			Reason string
		}
	}
	if json.Unmarshal(answer, &p) != nil || p.Title == "" {
		if len(answer) == 0 {
			return ""
		}
		return fmt.Sprintf("; is this chaperone? It says %q", begin(answer))
	}
	text := ": " + p.Title + ": " + p.Detail
	const most = 5
	for i, r := range p.Records {
		if i == most {
			text += fmt.Sprintf("; and %d more", len(p.Records)-most)
			break
		}
		text += fmt.Sprintf("; record %d: %s", r.Index, r.Reason)
	}
	return text
}

func begin(answer []byte) string {
	const most = 200
	return strings.ToValidUTF8(string(answer[:min(most, len(answer))]), "")
}

// failed is an error without the token, which an answer may echo.
func (h *httpReporter) failed(err error) error {
	if h.token != "" && strings.Contains(err.Error(), h.token) {
		err = errors.New(strings.ReplaceAll(err.Error(), h.token, "***"))
	}
	return fmt.Errorf("audit: report to %s: %w", h.url.Redacted(), err)
}

// zippers are large and slow to make.
var zippers = sync.Pool{New: func() any { z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed); return z }}

func compressed(b []byte) ([]byte, error) {
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	var out bytes.Buffer
	z.Reset(&out)
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
