package report

import (
	"slices"
	"strings"

	"github.com/rivo/uniseg"
)

const (
	// leastWidth is what a column keeps when a table is made narrower.
	leastWidth = 8
	// mayGoBelow is from which width on a text may stand under its row, and mayAlwaysGoBelow from which on it
	// does before a picture is left out.
	mayGoBelow       = 10
	mayAlwaysGoBelow = 24
	// belowIndent begins the lines under a row.
	belowIndent = "    "
)

// layout says how a table fits into a terminal.
type layout struct {
	widths []int  // of columns; 0: it is not shown in the row
	below  []bool // it stands in lines of its own, under the row
	room   int    // 0: no limit
}

// fitted makes a table as narrow as the terminal: long texts move under their rows, the last ones first, then
// pictures go, then shorter texts move, then texts are broken. Numbers are never cut.
func (s *Sheet[T]) fitted(widths []int) layout {
	l := layout{widths: slices.Clone(widths), below: make([]bool, len(widths)), room: s.room()}
	if l.room == 0 {
		return l
	}
	s.putBelow(&l, mayAlwaysGoBelow)
	for i, c := range s.columns {
		if c.Drawn && l.total() > l.room {
			l.widths[i] = 0
		}
	}
	s.putBelow(&l, mayGoBelow)
	for l.total() > l.room {
		widest := -1
		for i, c := range s.columns {
			if !c.Right && l.widths[i] > leastWidth && (widest < 0 || l.widths[i] > l.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		l.widths[widest]--
	}
	return l
}

// putBelow moves texts of more than a width under their rows until the others fit.
func (s *Sheet[T]) putBelow(l *layout, width int) {
	for i, c := range slices.Backward(s.columns) {
		if i > 0 && !c.Right && !c.Drawn && l.widths[i] > width && l.total() > l.room {
			l.widths[i], l.below[i] = 0, true
		}
	}
}

// room is the width of the terminal, but for its last column; 0: there is none.
func (s *Sheet[T]) room() int {
	if !s.out.OutTerminal || s.out.Width == nil {
		return 0
	}
	return max(s.out.Width()-1, 20)
}

func (l *layout) total() int {
	total := -len(columnGap)
	for _, w := range l.widths {
		if w > 0 {
			total += w + len(columnGap)
		}
	}
	return total
}

// Wrap breaks a text into lines of a width: at blanks, and inside of words that are longer.
func Wrap(text string, width int) []string {
	if width < 1 || uniseg.StringWidth(text) <= width {
		return []string{text}
	}
	var lines []string
	line, used := "", 0
	end := func() {
		lines, line, used = append(lines, strings.TrimRight(line, " ")), "", 0
	}
	for _, word := range strings.SplitAfter(text, " ") {
		if w := uniseg.StringWidth(strings.TrimRight(word, " ")); used > 0 && used+w > width {
			end()
		}
		for g := uniseg.NewGraphemes(word); g.Next(); {
			if used > 0 && used+g.Width() > width {
				if g.Str() == " " {
					continue
				}
				end()
			}
			line += g.Str()
			used += g.Width()
		}
	}
	if strings.TrimRight(line, " ") != "" {
		end()
	}
	return lines
}
