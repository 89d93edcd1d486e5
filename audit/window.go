package audit

import (
	"fmt"
	"time"
)

// A Window is a tumbling interval of event time, aligned to the Unix epoch: it
// holds the instants from Start up to, not including, Start+Size.
type Window struct {
	Start int64 // Unix seconds, a multiple of Size
	Size  int64 // seconds
}

// WindowAt is the window of the given size, in seconds, that holds an event
// time in Unix milliseconds. Times before 1970 fall into windows before 0. The
// size must be above 0.
func WindowAt(ms, size int64) Window {
	return Window{Start: floorDiv(ms, size*1000) * size, Size: size}
}

// End is the first second that is no longer in the window.
func (w Window) End() int64 { return w.Start + w.Size }

// From and To are the bounds as times in UTC.
func (w Window) From() time.Time { return time.Unix(w.Start, 0).UTC() }
func (w Window) To() time.Time   { return time.Unix(w.End(), 0).UTC() }

func (w Window) String() string {
	return fmt.Sprintf("%s+%s", w.From().Format("2006-01-02T15:04:05Z"), time.Duration(w.Size)*time.Second)
}

const day = 24 * 60 * 60

// CheckWindowSize says whether windows of so many seconds tile a day, so that
// every tier cuts time at the same instants and days are whole.
func CheckWindowSize(size time.Duration) error {
	s := int64(size / time.Second)
	if size <= 0 || size%time.Second != 0 || day%s != 0 {
		return fmt.Errorf("%s does not divide a day into whole seconds; use for example 1m, 10m or 1h", size)
	}
	return nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
