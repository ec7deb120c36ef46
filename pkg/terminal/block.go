package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/dbmigrate/dbmigrate/internal/escape"
)

// block is the steady part of a terminal: a bar with bytes, rate and ETA, and under it who is where. All
// methods work on nil, which is no block, and are called with Output.mu held.
type block struct {
	w     io.Writer
	width func() int // of the terminal, asked again at each drawing

	done, total int64
	head        string   // before the bar
	tail, under string   // behind the bar, and in the second line
	plain       string   // in place of all that: a status
	shown       []string // the lines as they stand on the screen; none when hidden
}

const (
	// barWidth leaves room for the numbers on a terminal of 80 columns; a wide one has more.
	barWidth     = 16
	wideBarWidth = 40
	wideFrom     = 110
	// plainWidth is for a terminal that does not say how wide it is.
	plainWidth = 80
)

// attachBlock draws an empty block.
func (o *Output) attachBlock(head string, total int64) *block {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.block.hide() // a status
	o.block = &block{w: o.Err, width: widthOf(o.Err), head: head, total: max(total, 1)}
	o.block.show()
	return o.block
}

func (o *Output) detachBlock() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.block.hide()
	o.block = nil
}

func (o *Output) draw(done int64, tail, under string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.block == nil {
		return
	}
	o.block.done, o.block.tail, o.block.under = done, tail, under
	o.block.show()
}

func widthOf(w io.Writer) func() int {
	f, isFile := w.(*os.File)
	return func() int {
		if isFile {
			if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
				return width
			}
		}
		return plainWidth
	}
}

// show draws the block over the one that stands there, in one write so that nothing flickers.
func (b *block) show() {
	if b == nil {
		return
	}
	width := b.width()
	lines := []string{fit(b.plain, width)}
	if b.plain == "" {
		lines[0] = fit(escape.Text(fmt.Sprintf("%s %s %s", b.head, bar(b.done, b.total, width), b.tail)), width)
	}
	if b.under != "" {
		lines = append(lines, fit(escape.Text(b.under), width))
	}
	// Errors of a drawing are a terminal's that went away.
	_, _ = io.WriteString(b.w, b.back(width)+strings.Join(lines, "\n"))
	b.shown = lines
}

// hide takes the block away and leaves the cursor where it began.
func (b *block) hide() {
	if b == nil || b.shown == nil {
		return
	}
	_, _ = io.WriteString(b.w, b.back(b.width()))
	b.shown = nil
}

// back goes to the block's first row and clears from there. A terminal that became narrower has broken its
// lines into more rows.
func (b *block) back(width int) string {
	if b.shown == nil {
		return ""
	}
	rows := 0
	for _, line := range b.shown {
		rows += max(1, (uniseg.StringWidth(line)+width-1)/width)
	}
	if rows == 1 {
		return "\r\x1b[J"
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", rows-1)
}

// bar draws how much is done. It is full only when all is: what is nearly done rounds down.
func bar(done, total int64, width int) string {
	cells := barWidth
	if width >= wideFrom {
		cells = wideBarWidth
	}
	b := progressbar.NewOptions64(
		total,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetWidth(
			cells,
		),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
	)
	_ = b.RenderBlank()
	_ = b.Set64(min(done, total))
	return fmt.Sprintf("%*s", cells+len("100% []"), strings.Trim(b.String(), "\r "))
}

// fit cuts a line so that it never reaches the last column, where terminals disagree about the cursor.
func fit(line string, width int) string {
	room := max(width-1, 1)
	line = strings.TrimRight(line, " ")
	if uniseg.StringWidth(line) <= room {
		return line
	}
	var cut strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(line); g.Next(); {
		if used += g.Width(); used >= room {
			break
		}
		cut.WriteString(g.Str())
	}
	return cut.String() + "…"
}
