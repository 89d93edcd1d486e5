package audit

import (
	"context"
	"errors"
	"io"
	"sync"
)

// A Reporter brings records to the audit. Package reportertest has the suite that each
// implementation should pass.
type Reporter interface {
	// Report returns nil when all records are where they are safe: acknowledged, not
	// merely sent. After an error any of them may have arrived, for a record that arrives
	// again is harmless; the caller says everything again in its next report. It ends
	// soon when ctx does, keeps no record when it has returned, and is not called by two
	// at once.
	Report(ctx context.Context, records []*Record) error
}

// ErrTooMany is wrapped by the error of a Reporter that would take fewer records at a
// time: they are said again at once, in smaller portions.
var ErrTooMany = errors.New("too many records at a time")

// ReporterFunc is a function as a Reporter.
type ReporterFunc func(ctx context.Context, records []*Record) error

// Report calls f.
func (f ReporterFunc) Report(ctx context.Context, records []*Record) error { return f(ctx, records) }

// Tee reports to several, all at the same time, and has succeeded when all have.
func Tee(reporters ...Reporter) Reporter {
	return ReporterFunc(func(ctx context.Context, records []*Record) error {
		errs := make([]error, len(reporters))
		var wg sync.WaitGroup
		for i, r := range reporters {
			wg.Add(1)
			go func() {
				defer wg.Done()
				errs[i] = r.Report(ctx, records)
			}()
		}
		wg.Wait()
		return errors.Join(errs...)
	})
}

// WriteTo reports to a file or to standard output: each record is a line of JSON, as on
// the audit topic. It is as safe as w is: a file that has to survive the machine should
// be opened with O_SYNC.
func WriteTo(w io.Writer) Reporter { return &lineWriter{w: w} }

type lineWriter struct {
	w    io.Writer
	torn bool // the last line may not have an end
}

func (l *lineWriter) Report(_ context.Context, records []*Record) error {
	var b []byte
	if l.torn {
		b = append(b, '\n')
	}
	b, err := AppendLines(b, records)
	if err != nil {
		return err
	}
	n, err := l.w.Write(b)
	if n > 0 {
		l.torn = n < len(b)
	}
	return err
}

// AppendLines appends records as lines of JSON.
func AppendLines(b []byte, records []*Record) ([]byte, error) {
	for _, r := range records {
		line, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		b = append(append(b, line...), '\n')
	}
	return b, nil
}
