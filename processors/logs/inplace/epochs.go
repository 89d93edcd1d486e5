package inplace

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/processors/logs"
)

// An epochs is which leader epochs the log has had, as far as it was read: in order,
// each with where it begins. Of the first one that is not known.
//
// It tells where a log was cut. The broker answers with the last epoch that it knows
// up to ours, and where that ends in its log. If we have read of that epoch too, the
// logs part at the lower of its two ends, for an epoch has one leader. If not, the
// cut lies further back, and nobody has said where. (Followers ask on, KIP-101; after
// a single unclean election nobody has to.)
type epochs []epochStart

type epochStart struct {
	epoch int32
	at    int64
}

// mostEpochs is how many are kept: nobody is so far behind as to need more.
const mostEpochs = 16

// mostPast is of how many sources that are not open it is kept.
const mostPast = 20_000

// upTo is what is known at a position of a source that was read before. A log that has
// an epoch has it from the same offset on as any other that has it.
func (e epochs) upTo(from logs.Position) epochs {
	if i := slices.IndexFunc(e, func(s epochStart) bool { return s.epoch == from.Epoch }); i >= 0 {
		return slices.Clone(e[:i+1])
	}
	var begun epochs
	begun.note(from.Epoch, from.Next)
	return begun
}

// note takes down that an epoch begins at an offset.
func (e *epochs) note(epoch int32, at int64) {
	if n := len(*e); epoch < 0 || n > 0 && (*e)[n-1].epoch >= epoch {
		return // known, and read again
	}
	if len(*e) == mostEpochs {
		*e = append((*e)[:0], (*e)[1:]...)
	}
	*e = append(*e, epochStart{epoch, at})
}

// read takes down which epochs have begun in what was read, and handed over up to an
// offset.
func (e *epochs) read(turns []epochStart, to int64) {
	for _, t := range turns {
		if t.at < to {
			e.note(t.epoch, t.at)
		}
	}
}

// cut is how a source is lost whose log is another one from some offset on.
func (e epochs) cut(d kmsg.FetchResponseTopicPartitionDivergingEpoch) error {
	i := slices.IndexFunc(e, func(s epochStart) bool { return s.epoch == d.Epoch })
	switch {
	case i < 0:
		return logs.ErrTruncated
	case i+1 < len(e):
		return &logs.Truncated{End: min(d.EndOffset, e[i+1].at)}
	}
	return &logs.Truncated{End: d.EndOffset}
}
