package shards

import (
	"errors"
	"fmt"
	"strings"
)

// ErrLeft is wrapped by what Run of a processor returns when its stop has left
// work undone, because the time did not suffice or a broker is away. It is no
// loss: what is not stored is not committed, and the next owner does it again.
var ErrLeft = errors.New("stopped with work left, and nothing is lost")

// Left is an ErrLeft that says how much is left, and where it is taken up again;
// of many places some.
func Left(what string, places []string) error {
	const most = 5
	text := strings.Join(places[:min(most, len(places))], ", ")
	if more := len(places) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Errorf("%w: %s: %s", ErrLeft, what, text)
}
