package count

import "github.com/chaperone-audit/chaperone/processors/logs"

// A pace says whether a source is read as it is written. Only then does the clock at
// which a message is read say when it arrived, and not how far we were behind.
//
// It would be simple to take the batches that end at the last stable offset. But what a
// broker answers comes as many batches, and of a busy source only the last one of an
// answer ends there, with the youngest messages. So an answer counts as a whole, if
// everything that there was had been read before it: what it has was written since. If
// it is full and leaves something behind, then that comes late by our doing.
//
// The zero value is behind: what is there when a source is opened has been waiting, for
// nobody knows how long.
type pace struct {
	level  bool  // everything that there was has been read
	prompt int64 // last stable offset of the answer that began so, 0 if it did not
}

// takes notes a batch, and says whether its messages were read as they came. Answers
// are told apart by their last stable offset: between two that have the same one no
// message became readable, so that the second follows the first at once.
func (p *pace) takes(b *logs.Batch) (prompt bool) {
	prompt = b.Stable > 0 && (p.level || p.prompt == b.Stable)
	*p = pace{level: b.Stable >= 0 && b.Next >= b.Stable}
	if prompt {
		p.prompt = b.Stable
	}
	return prompt
}
