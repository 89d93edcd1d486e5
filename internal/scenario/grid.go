package scenario

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A grid is printed in columns: numbers to the right, the first column, and notes,
// which have no heading, to the left.
type grid [][]string

// print appends the grid to the output; the columns named are to the left too.
func (w *world) print(t grid, left ...int) {
	var widths []int
	for _, line := range t {
		for i, cell := range line {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	notes := len(t[0]) // what has no heading
	for _, line := range t {
		var text strings.Builder
		for i, cell := range line {
			if i > 0 {
				text.WriteString("  ")
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 || i >= notes || slices.Contains(left, i) {
				text.WriteString(cell + pad)
			} else {
				text.WriteString(pad + cell)
			}
		}
		w.out += strings.TrimRight(text.String(), " ") + "\n"
	}
}
