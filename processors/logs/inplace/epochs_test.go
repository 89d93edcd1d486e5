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
