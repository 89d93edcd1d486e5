package views

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// lag watches how far the stores are behind the table. goka ends the following
// of a partition in silence when its offset is out of the log's range, which
// happens when the table topic is made anew.
type lag struct {
	patience int // checks without a move, while there is something to read
	at       map[int32]int64
	still    map[int32]int
}

func newLag(every time.Duration) *lag {
	return &lag{patience: max(3, int(time.Minute/every)), at: map[int32]int64{}, still: map[int32]int{}}
}

// measure gives the entries not yet read, 0 for a partition whose end is not
// known. An error says that the view does not follow any more.
func (l *lag) measure(client sarama.Client, topic string, r *replica) (behind int64, err error) {
	for i, s := range r.partitions() {
		p := int32(i)
		next, _ := s.GetOffset(-1) // cannot fail
		next++
		end, err := client.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			continue // the view's state tells
		}
		if end < next {
			return 0, fmt.Errorf("partition %d of the table ends at offset %d, and has been read up to %d: it was made anew", p, end, next)
		}
		behind += end - next
		if end == next || next != l.at[p] {
			l.still[p] = 0
		} else if l.still[p]++; l.still[p] > l.patience {
			return 0, fmt.Errorf("partition %d of the table does not move on from offset %d, its end is %d", p, next, end)
		}
		l.at[p] = next
	}
	return behind, nil
}
