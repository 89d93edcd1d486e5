package codecs

import (
	"context"
	"errors"

	"github.com/chaperone-audit/chaperone/audit"
)

// The codecs "record", "create_time" and "append_time" take the record timestamp
// for the event time: by whomever it was set, or only if it was set by the producer
// or by the broker. They have no settings.
//
// The latter two need a reader that knows which it is. Config refuses one that never
// does; where one meets a broker that is too old, they wait.
var (
	recordBuilder     = timestampBuilder("record", TimeUnknown)
	createTimeBuilder = timestampBuilder(CreateTimeCodec, CreateTime)
	appendTimeBuilder = timestampBuilder(AppendTimeCodec, LogAppendTime)
)

// Names of codecs that need a reader which knows the TimeType.
const (
	CreateTimeCodec = "create_time"
	AppendTimeCodec = "append_time"
)

func timestampBuilder(name string, kind TimeType) Builder {
	return Builder{Build: func(Rule, *Env) (Codec, error) { return timestampCodec{name, kind}, nil }}
}

type timestampCodec struct {
	name string
	kind TimeType // TimeUnknown: any
}

func (c timestampCodec) Name() string { return c.name }
func (timestampCodec) Basis() string  { return audit.BasisRecord }

func (c timestampCodec) EventTime(m *Message) (int64, Status) {
	switch {
	case m.Time < 0:
		return 0, None
	case c.kind == TimeUnknown || c.kind == m.TimeType:
		return m.Time, Found
	case m.TimeType == TimeUnknown:
		return 0, Unready
	}
	return 0, None
}

func (c timestampCodec) Learn(context.Context, *Message) error {
	return errors.New("the reader does not know who set the record timestamp: that takes count.reader in_place and a broker of Kafka 2.7 or later")
}
