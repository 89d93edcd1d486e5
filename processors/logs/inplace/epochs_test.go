package inplace

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/processors/logs"
)

// Two logs agree up to some offset. The one that was read up to some place, and that
// a broker has now; the broker answers as Kafka's does. Where they part is found, or
// it is said that it is not known.
func TestTheCutIsFound(t *testing.T) {
	exact, unknown := 0, 0
	for seed := range uint64(20_000) {
		rng := rand.New(rand.NewPCG(seed, 3))
		grow := func(log []int32, n int, kind int32) []int32 { // epochs by offset
			log = slices.Clone(log)
			epoch := int32(0)
			if len(log) > 0 {
				epoch = log[len(log)-1]
			}
			for range n {
				if rng.IntN(6) == 0 || kind == 2 && epoch%10 != 2 {
					epoch = (epoch/10+1+rng.Int32N(3))*10 + kind
				}
				log = append(log, epoch)
			}
			return log
		}
		// An epoch has one leader: after the parting none is in both. The one in which
		// they part may go on in ours.
		same := grow(nil, rng.IntN(30), 0)
		parted := int64(len(same))
		ours, theirs := grow(same, 1+rng.IntN(20), 1), grow(same, rng.IntN(20), 2)
		next := parted + 1 + rng.Int64N(int64(len(ours))-parted)
		begun := rng.Int64N(next + 1)
		var seen epochs
		if begun > 0 {
			seen.note(ours[begun-1], begun)
		}
		for o := begun; o < next; o++ {
			if o == 0 || ours[o] != ours[o-1] {
				seen.note(ours[o], o)
			}
		}
		asked := ours[next-1]
		answer := kmsg.FetchResponseTopicPartitionDivergingEpoch{Epoch: -1}
		for o, epoch := range theirs {
			if epoch <= asked {
				answer.Epoch, answer.EndOffset = epoch, int64(o)+1
			}
		}
		if answer.Epoch == asked && answer.EndOffset >= next {
			continue // it does not part them
		}
		err := seen.cut(answer)
		if cut, ok := errors.AsType[*logs.Truncated](err); ok {
			exact++
			if end := min(cut.End, next); end > parted {
				t.Fatalf("seed %d: ours %v read from %d to %d, theirs %v: cut at %d, want %d", seed, ours, begun, next, theirs, cut.End, parted)
			}
		} else {
			unknown++
		}
	}
	if exact == 0 || unknown == 0 {
		t.Errorf("%d exact, %d unknown", exact, unknown)
	}
}

// What was fetched and not handed over is no part of what was read: another log may
// come in its place.
func TestEpochsOfWhatWasReadAheadAreNotNoted(t *testing.T) {
	e := epochs{{5, 0}}
	e.read([]epochStart{{6, 120}}, 110)
	e.read([]epochStart{{7, 115}}, 130)
	err := e.cut(kmsg.FetchResponseTopicPartitionDivergingEpoch{Epoch: 5, EndOffset: 118})
	if cut, ok := errors.AsType[*logs.Truncated](err); !ok || cut.End != 115 {
		t.Errorf("%v, want a cut at 115", err)
	}
}

// A source is lost while its broker is away, and opened again: what was known of its
// epochs is known still, as far as they are those of the position.
func TestEpochsOutliveALoss(t *testing.T) {
	e := epochs{{5, 0}, {6, 120}, {7, 130}}
	diverging := func(epoch int32, end int64) kmsg.FetchResponseTopicPartitionDivergingEpoch {
		return kmsg.FetchResponseTopicPartitionDivergingEpoch{Epoch: epoch, EndOffset: end}
	}
	for _, c := range []struct {
		from logs.Position
		d    kmsg.FetchResponseTopicPartitionDivergingEpoch
		want int64 // -1: unknown
	}{
		{logs.Position{Next: 125, Epoch: 6}, diverging(5, 122), 120},
		{logs.Position{Next: 140, Epoch: 7}, diverging(6, 128), 128},
		{logs.Position{Next: 160, Epoch: 8}, diverging(7, 150), -1}, // somebody else has read on
		{logs.Position{Next: 160, Epoch: 8}, diverging(8, 150), 150},
		{logs.Position{Next: 160, Epoch: -1}, diverging(7, 150), -1},
	} {
		err := e.upTo(c.from).cut(c.d)
		cut, ok := errors.AsType[*logs.Truncated](err)
		if ok != (c.want >= 0) || ok && cut.End != c.want {
			t.Errorf("%+v, %+v: %v, want %d", c.from, c.d, err, c.want)
		}
	}
}
