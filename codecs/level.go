package codecs

// A Level is what Fields look for among the names at one level of a document. It is
// for codecs that walk documents name by name, and take of several fields the first
// that comes. Safe for concurrent use; it allocates nothing.
type Level tree

// MaxPath bounds how many levels lie below each other.
const MaxPath = maxPath

// Level is the topmost one.
func (f Fields) Level() *Level { return (*Level)(newTree(f)) }

// Match says of a name whether a time may be there, and what is looked for further
// down, if it is a document in turn; nil if nothing is.
func (l *Level) Match(name []byte) (time bool, down *Level) {
	b := (*tree)(l).match(name)
	if b == nil {
		return false, nil
	}
	return b.time, (*Level)(b.down)
}
