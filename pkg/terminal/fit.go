package terminal

import (
	"regexp"
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
	// leastLast is what the last text of a row keeps beside the others. One with less room stands below.
	leastLast = 40
	// belowIndent begins the lines under a row.
	belowIndent = "    "
)

// layout says how a table fits into a terminal.
type layout struct {
	widths []int  // of columns; 0: it is not shown in the row
	below  []bool // it stands in lines of its own, under the row
	room   int    // 0: no limit
}

// fitted makes a table as narrow as the terminal. The heads of numbers take more lines, and the last text is
// broken where it keeps enough room. Else long texts move under their rows, the last ones first. Then
// pictures go, and shorter texts move. Only then texts are broken. Numbers are never cut.
func (s *Sheet[T]) fitted(widths []int) layout {
	l := layout{widths: slices.Clone(widths), below: make([]bool, len(widths)), room: s.room()}
	if l.room == 0 {
		return l
	}
	s.breakHeads(&l)
	s.breakLast(&l)
	s.putBelow(&l, mayAlwaysGoBelow)
	for i, c := range s.columns {
		if c.Drawn && l.total() > l.room {
			l.widths[i] = 0
		}
	}
	s.putBelow(&l, mayGoBelow)
	s.putBelow(&l, 0)
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

// breakHeads gives numbers no more room than they and the words of their heads need.
func (s *Sheet[T]) breakHeads(l *layout) {
	for i, c := range s.columns {
		if !c.Right || l.widths[i] == 0 || l.total() <= l.room {
			continue
		}
		least := s.texts[i]
		for word := range strings.FieldsSeq(c.Head) {
			least = max(least, uniseg.StringWidth(word))
		}
		l.widths[i] = min(l.widths[i], least)
	}
}

// breakLast breaks the last text beside its row, if that is enough.
func (s *Sheet[T]) breakLast(l *layout) {
	last := len(l.widths) - 1
	for last > 0 && l.widths[last] == 0 {
		last--
	}
	left := l.widths[max(last, 0)] - (l.total() - l.room)
	if last > 0 && !s.columns[last].Right && !s.columns[last].Drawn && l.total() > l.room && left >= leastLast {
		l.widths[last] = left
	}
}

// putBelow moves texts of more than a width under their rows until the others fit.
func (s *Sheet[T]) putBelow(l *layout, width int) {
	for i, c := range slices.Backward(s.columns) {
		if i > 0 && !c.Right && !c.Drawn && !c.Keep && l.widths[i] > width && l.total() > l.room {
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

// talkIndent begins the further lines of a line of talk.
const talkIndent = "  "

// quoted is a command to copy.
var quoted = regexp.MustCompile("`[^`]+`")

// wrapTalk breaks a line of talk at blanks. A command between backquotes stays whole where a line has room
// for it, so that it can be copied.
func wrapTalk(line string, room int) []string {
	if room == 0 || uniseg.StringWidth(line) <= room {
		return []string{line}
	}
	room -= len(talkIndent)
	const noBreak = "\u00a0"
	line = quoted.ReplaceAllStringFunc(line, func(command string) string {
		if uniseg.StringWidth(command) > room {
			return command
		}
		return strings.ReplaceAll(command, " ", noBreak)
	})
	lines := Wrap(line, room)
	for i := range lines {
		lines[i] = quoted.ReplaceAllStringFunc(lines[i], func(command string) string {
			return strings.ReplaceAll(command, noBreak, " ")
		})
	}
	return lines
}
