package inplace

import "time"

// Where brokers have racks, the leader may name a follower that is nearer
// (KIP-392). What a follower says is good as long as it serves; anything else is
// asked of the leader again, which knows whether an offset is there.

// followFor is how long a follower is read from before the leader is asked again
// whether it still is a good one.
const followFor = 5 * time.Minute

// nearer has a source read from the replica that its leader has named, -1 if none,
// or from its leader again when it has been away for long. Locked.
func (f *fetcher) nearer(n *slot, replica int32) bool {
	s := n.s
	switch {
	case replica >= 0 && replica != f.key.broker:
		f.r.leave(s)
		s.follow = time.Now()
		f.r.fetcher(fetcherKey{replica, 0}).add(s)
		return true
	case !s.follow.IsZero() && time.Since(s.follow) > followFor:
		f.r.seek(s, nil)
		return true
	}
	return false
}
