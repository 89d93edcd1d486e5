package inplace

// One session is one request after another: the broker waits while we hand over,
// and we wait while it reads. That is no matter until the responses are full. Then
// a second session, on a connection of its own, fills the gaps.

// fullFor is how many responses in a row must be full for that.
const fullFor = 8

// crowded says that a second session would pay.
func (f *fetcher) crowded() bool {
	if f.key.lane > 0 || f.full < fullFor {
		return false
	}
	active := 0
	for i := range f.got {
		if len(f.got[i].batches) > 0 {
			active++
		}
	}
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	other := f.r.fetchers[f.key.second()]
	return active > 1 && (other == nil || len(other.session.slots) == 0)
}

// split gives half of the sources that have had something to the second session.
// Nothing of them is under way: it was not asked ahead.
func (f *fetcher) split() {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	f.full = 0
	other := f.r.fetcher(f.key.second())
	stays := false
	for i := range f.got {
		s := f.got[i].slot.s
		if len(f.got[i].batches) == 0 || s.slot != f.got[i].slot {
			continue
		}
		if stays = !stays; !stays {
			f.r.leave(s)
			other.add(s)
		}
	}
}
