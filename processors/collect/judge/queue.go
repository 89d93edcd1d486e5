package judge

import "container/heap"

// A queue has windows by when they are to be judged. The zero value is empty.
type queue struct{ list []*window }

// at sets when a window is judged next, in place of what was set before.
func (q *queue) at(w *window, due int64) {
	switch w.due = due; {
	case w.place < 0:
		heap.Push(q, w)
	default:
		heap.Fix(q, w.place)
	}
}

// sooner is at, unless it is to be judged before that anyway.
func (q *queue) sooner(w *window, due int64) {
	if w.place < 0 || due < w.due {
		q.at(w, due)
	}
}

func (q *queue) remove(w *window) {
	if w.place >= 0 {
		heap.Remove(q, w.place)
	}
}

// next takes out a window that is due; nil: none is.
func (q *queue) next(now int64) *window {
	if len(q.list) == 0 || q.list[0].due > now {
		return nil
	}
	return heap.Pop(q).(*window)
}

func (q *queue) Len() int { return len(q.list) }

// Less makes the order that of time, and else of topic and window, so that the same
// records always lead to the same verdicts in the same order.
func (q *queue) Less(a, b int) bool {
	x, y := q.list[a], q.list[b]
	switch {
	case x.due != y.due:
		return x.due < y.due
	case x.topic != y.topic:
		return x.topic.name < y.topic.name
	case x.Start != y.Start:
		return x.Start < y.Start
	}
	return x.Size < y.Size
}

func (q *queue) Swap(a, b int) {
	q.list[a], q.list[b] = q.list[b], q.list[a]
	q.list[a].place, q.list[b].place = a, b
}

func (q *queue) Push(x any) {
	w := x.(*window)
	w.place = len(q.list)
	q.list = append(q.list, w)
}

func (q *queue) Pop() any {
	last := len(q.list) - 1
	w := q.list[last]
	q.list[last] = nil
	q.list = q.list[:last]
	w.place = -1
	return w
}
