//go:build !amd64

package codecs

func find(b *block, letter word8) (quotes, brackets, backslashes, letters uint64) {
	return findByWords(b, letter)
}
