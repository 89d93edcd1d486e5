package inplace

import "time"

// Where brokers have racks, the leader may name a follower that is nearer
// (KIP-392). What a follower says is good as long as it serves; anything else is
// asked of the leader again, which knows whether an offset is there.
//
// The leader names a follower to whoever says which rack it is in, and does not look
// then whether it could serve itself. It does not know whether we get anywhere with
// the follower: if not, we would be sent to and fro. So a source whose follower has
// failed is read from its leader, for a while, by a fetcher that does not say where
// we are:
//
//	leader ── "follower 2 is nearer" ──► follower 2 ── serves ──► for followFor, then the leader is asked again
//	   ▲                                     │
//	   └──── for followFor, not asked        └── fails, is late, or cannot be reached
//	         for anything nearer ◄───────────────┘

// followFor is how long a follower is read from before the leader is asked again
// whether it still is a good one, and how long followers are shunned when one failed.
const followFor = 5 * time.Minute

// leader is the key of the fetcher that reads a source from its leader. Locked.
func (r *Reader) leader(s *source) fetcherKey {
	return fetcherKey{broker: s.lead.broker, plain: r.rack != "" && time.Since(s.shunned) <= followFor}
}

// nearer has a source read from the replica that its leader has named, -1 if none,
// or from its leader again when it has been away, or has shunned followers, for long.
// Locked.
func (f *fetcher) nearer(n *slot, replica int32) bool {
	s := n.s
	switch {
	case replica >= 0 && replica != f.key.broker:
		f.r.leave(s)
		s.follow = time.Now()
		f.r.fetcher(fetcherKey{broker: replica}).add(s)
		return true
	case !s.follow.IsZero() && time.Since(s.follow) > followFor, f.key.plain && time.Since(s.shunned) > followFor:
		f.r.seek(s, nil)
		return true
	}
	return false
}
