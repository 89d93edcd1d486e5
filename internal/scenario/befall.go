package scenario

import "strconv"

// What befalls the log of a topic.

// retention drops the oldest messages, truncate the newest.
func (w *world) retention(a *args) error {
	_, t, err := w.existing(a, 0)
	if err != nil {
		return err
	}
	held := t.held()
	t.retain(held[:a.number("drop", len(held), 0, len(held))])
	return a.err
}

func (w *world) truncate(a *args) error {
	_, t, err := w.existing(a, 0)
	if err != nil {
		return err
	}
	held := t.held()
	t.cut(held[len(held)-a.number("drop", len(held), 0, len(held)):])
	return a.err
}

func (w *world) compact(a *args) error {
	_, t, err := w.existing(a, 0)
	if err == nil {
		t.compact()
	}
	return err
}

func (w *world) deleteTopic(a *args) error {
	p, t, err := w.existing(a, 0)
	if err == nil {
		delete(p.topics, t.name)
	}
	return err
}

func (w *world) recreate(a *args) error {
	p, t, err := w.existing(a, 0)
	if err == nil {
		w.create(p, t.name, len(t.partitions))
	}
	return err
}

func (w *world) addPartitions(a *args) error {
	_, t, err := w.existing(a, 0)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(a.word(1))
	if err != nil || n < 1 || n > 64 {
		return a.fail("%q: want the new number of partitions, at most 64", a.word(1))
	}
	if n <= len(t.partitions) && !w.vary.is(Repartition) {
		return a.fail("topic %s has %d partitions already", t.name, len(t.partitions))
	}
	t.grow(w.vary.partitions(n))
	return nil
}
