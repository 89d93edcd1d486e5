//go:build linux && amd64 && !noembed

package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// insert feeds the rows of a request's body to the engine. A body that ends too
// early, or whose client went away, commits nothing, as long as it is smaller
// than one block of the engine (about a million rows).
func (h *handler) insert(ctx context.Context, s *session, st statement, params map[string]string, body io.Reader, o *output) error {
	in, err := s.Insert(st.sql, st.format, params)
	if err != nil {
		return err
	}
	defer in.Free()
	buf := make([]byte, 256<<10)
	for {
		n, readErr := body.Read(buf)
		if _, err := in.Write(buf[:n]); err != nil {
			return err
		}
		if errors.Is(readErr, io.EOF) && !errors.Is(readErr, io.ErrUnexpectedEOF) {
			break
		}
		if readErr == nil {
			readErr = ctx.Err()
		}
		if readErr != nil {
			in.Cancel()
			return fmt.Errorf("read the rows: %w", readErr)
		}
	}
	if err := ctx.Err(); err != nil {
		in.Cancel()
		return err
	}
	rows, err := in.Done()
	if err != nil {
		return err
	}
	o.summary(rows, rows)
	o.start()
	return nil
}
