package codecs

import (
	"errors"

	"github.com/chaperone-audit/chaperone/audit"
)

// Record builds the codec "record": the event time is the record timestamp, by
// whomever it was set. It has no settings.
func Record(r Rule) (Codec, error) {
	var errs []error
	unused := func(key string, set bool) {
		if set {
			errs = append(errs, &Problem{Key: key, Err: errors.New("codec record takes none; leave it out")})
		}
	}
	unused("fields", len(r.Fields) > 0)
	unused("any_case", r.AnyCase)
	unused("unit", r.Unit != "")
	unused("strict", r.Strict)
	return recordCodec{}, errors.Join(errs...)
}

type recordCodec struct{}

func (recordCodec) Name() string  { return "record" }
func (recordCodec) Basis() string { return audit.BasisRecord }

func (recordCodec) EventTime(m *Message) (int64, Status) {
	if m.Time < 0 {
		return 0, None
	}
	return m.Time, Found
}
