package terminal

import (
	"math"
	"strings"
)

var (
	eighths = []rune("▏▎▍▌▋▊▉█")
	steps   = []rune("▁▂▃▄▅▆▇█")
)

// DrawsOut and DrawsErr say whether stdout and stderr are terminals that can show bars and sparklines.
func (o *Output) DrawsOut() bool { return o.OutTerminal && o.UTF8 && o.Format == Table }

// DrawsErr is DrawsOut of stderr.
func (o *Output) DrawsErr() bool { return o.ErrTerminal && o.UTF8 && o.Format != JSON }

// Bar draws a share, from 0 to 1, of a bar so many cells long. What is not nothing is seen.
func Bar(share float64, cells int) string {
	if share <= 0 || math.IsNaN(share) {
		return ""
	}
	parts := max(1, int(math.Round(min(share, 1)*float64(cells*8))))
	bar := strings.Repeat(string(eighths[7]), parts/8)
	if rest := parts % 8; rest > 0 {
		bar += string(eighths[rest-1])
	}
	return bar
}

// Sparkline draws numbers beside each other, from zero to the largest one; the newest so many, if there are
// more.
func Sparkline(values []float64, most int) string {
	values = values[max(0, len(values)-most):]
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	var b strings.Builder
	for _, v := range values {
		at := 0
		if top > 0 && v > 0 {
			at = int(math.Round(v / top * float64(len(steps)-1)))
		}
		b.WriteRune(steps[at])
	}
	return b.String()
}
