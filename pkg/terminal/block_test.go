package terminal

import (
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

func blockOf(width *int) (*block, *strings.Builder) {
	var out strings.Builder
	return &block{w: &out, width: func() int { return *width }, head: "migrate", total: 100}, &out
}

func TestBlockStaysWithinTheTerminal(t *testing.T) {
	for _, width := range []int{1, 20, 40, 80, 120, 300} {
		b, _ := blockOf(&width)
		b.done, b.tail, b.under = 50, strings.Repeat("日本 ", 50), strings.Repeat("waiting ", 50)
		b.show()
		for _, line := range b.shown {
			if got := uniseg.StringWidth(line); got > max(width-1, 1) {
				t.Errorf("%d columns in %d: %q", got, width, line)
			}
		}
	}
}

func TestWideTerminalsHaveAWideBar(t *testing.T) {
	if narrow, wide := len(bar(50, 100, 80)), len(bar(50, 100, 120)); wide-narrow != wideBarWidth-barWidth {
		t.Errorf("bars of %d and %d columns", narrow, wide)
	}
	if got := bar(100, 100, 80); !strings.Contains(got, "100%") {
		t.Errorf("full: %q", got)
	}
	if got := bar(999, 1000, 80); strings.Contains(got, "100%") {
		t.Errorf("not yet full: %q", got)
	}
}

// A terminal that became narrower shows the old lines in more rows; all of them are cleared.
func TestBlockAfterAResize(t *testing.T) {
	width := 120
	b, out := blockOf(&width)
	b.tail, b.under = strings.Repeat("t", 60), strings.Repeat("u", 100)
	b.show()
	out.Reset()
	width = 60
	b.show() // the first line has 95 columns, the second 100: two rows each
	if got := out.String(); !strings.HasPrefix(got, "\r\x1b[3A\x1b[J") {
		t.Errorf("cleared with %q", got[:min(12, len(got))])
	}
	out.Reset()
	b.hide()
	if got := out.String(); got != "\r\x1b[1A\x1b[J" {
		t.Errorf("hidden with %q", got)
	}
	b.hide()
	if got := out.String(); got != "\r\x1b[1A\x1b[J" {
		t.Errorf("hidden twice: %q", got)
	}
}
