package api

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/query"
)

var errBusy = fmt.Errorf("too many records come at once: %w", query.ErrUnavailable)

// A body is the body of a report, decompressed. What it has given is counted until it is
// released, together with that of all other bodies, because it is about what a request
// holds in memory.
type body struct {
	io.Reader
	s    *Server
	read int64
}

// openBody heeds Content-Encoding. The type is not looked at, since `curl -d` says that it
// is a form, and every form of records is told by its first character.
func (s *Server) openBody(r *http.Request) (*body, error) {
	b := &body{Reader: r.Body, s: s}
	switch encoding := strings.ToLower(r.Header.Get(echo.HeaderContentEncoding)); encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, unreadable(err)
		}
		b.Reader = z
	default:
		return nil, problemf(v1.UnsupportedEncoding, "Content-Encoding is %q and must be gzip, or left out.", shortened(encoding))
	}
	return b, nil
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += int64(n)
	held := b.s.held.Add(int64(n))
	switch {
	case b.read > b.s.o.MaxBody:
		return 0, &http.MaxBytesError{Limit: b.s.o.MaxBody}
	case held > b.s.o.MaxBodies:
		return 0, errBusy
	}
	return n, err
}

func (b *body) release() { b.s.held.Add(-b.read) }

// eachJSON calls do with each value of an array, or of values one after another, such as
// lines. Nothing at all is an error, an empty array is not. It ends with ctx: nobody waits
// for the answer any more.
func eachJSON(ctx context.Context, r io.Reader, do func(raw []byte) error) error {
	in := bufio.NewReader(r)
	first, err := skipSpace(in)
	if err != nil {
		return unreadable(err)
	}
	d := json.NewDecoder(in)
	array := first == '['
	if array {
		_, _ = d.Token()
	}
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%w: %w", err, query.ErrUnavailable)
		}
		if array && !d.More() {
			break
		}
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) && !array {
			return nil
		} else if err != nil {
			return unreadable(fmt.Errorf("record %d, counted from 0: %w", n, err))
		}
		if err := do(raw); err != nil {
			return err
		}
	}
	if _, err := d.Token(); errors.Is(err, io.EOF) {
		return unreadable(errors.New("the array has no end"))
	} else if err != nil {
		return unreadable(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return unreadable(errors.Join(errors.New("there is something behind the array"), err))
	}
	return nil
}

// skipSpace gives the first byte that is none of JSON's white space, without taking it.
func skipSpace(in *bufio.Reader) (byte, error) {
	for {
		c, err := in.ReadByte()
		switch {
		case err != nil:
			return 0, err
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			return c, in.UnreadByte()
		}
	}
}

// unreadable is the problem of a body that is no JSON, or cannot be had.
func unreadable(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), errors.Is(err, query.ErrUnavailable):
		return err
	case errors.Is(err, io.EOF):
		err = errors.New("it is empty")
	}
	return problemf(v1.BadRequest, "The body is not understood: %v; want a record, an array of records, or a record a line.", err)
}
