package torture

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// shape says what the messages of a topic look like.
type shape struct {
	field  string        // of the event time: ts, or what the topic's codec is told
	behind time.Duration // event times lie up to so far behind the record timestamp, most of them much less
	keys   int           // of so many; 0 for none
}

// Shares of odd messages: a bad day.
const (
	shareNoTime      = 0.03
	shareMalformed   = 0.02
	shareOutOfBounds = 0.01
)

// make makes a message and says what it should count as.
func (s shape) make(rng *rand.Rand, topic string, partition int32, now time.Time) (r *kgo.Record, event int64, class audit.Class) {
	at := now.UnixMilli()
	behind := int64(rng.ExpFloat64() * float64(s.behind.Milliseconds()) / 8)
	if rng.IntN(20) == 0 {
		behind = rng.Int64N(s.behind.Milliseconds() + 1)
	}
	event = at - min(behind, s.behind.Milliseconds())
	if rng.IntN(50) == 0 {
		event = at + rng.Int64N(2000) // its clock is ahead: a negative latency
	}
	id := rng.Uint64()
	pad := `"abcdefghijklmnopqrstuvwxyz"`[:2+rng.IntN(25)] + `"`
	var value string
	switch p := rng.Float64(); {
	case p < shareNoTime:
		class = audit.NoTime
		value = fmt.Sprintf(`{"id":%d,"x":%s}`, id, pad)
	case p < shareNoTime+shareMalformed:
		class = audit.Malformed
		value = fmt.Sprintf(`{"id":%d,"x`, id)
	case p < shareNoTime+shareMalformed+shareOutOfBounds:
		class = audit.OutOfBounds
		value = fmt.Sprintf(`{"id":%d,"%s":%d}`, id, s.field, at-30*24*time.Hour.Milliseconds())
	default:
		value = fmt.Sprintf(`{"id":%d,"x":%s,"%s":%d}`, id, pad, s.field, event)
	}
	r = &kgo.Record{
		Topic: topic, Partition: partition, Value: []byte(value), Timestamp: time.UnixMilli(at),
		Headers: []kgo.RecordHeader{{Key: headerTruth, Value: fmt.Appendf(nil, "%d %d", event, class)}},
	}
	if s.keys > 0 {
		r.Key = fmt.Appendf(nil, "k%d", rng.IntN(s.keys))
	}
	return r, event, class
}
