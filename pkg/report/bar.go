package report

import (
	"github.com/schollz/progressbar/v3"
)

// bar is the progress bar of a terminal. All methods work on nil, which is no bar, and are called with Output.mu held.
type bar struct {
	bar *progressbar.ProgressBar
	max int64
}

// barWidth leaves room for the numbers on a terminal of 80 columns.
const barWidth = 20

// attachBar draws an empty bar, of bytes, or of users where no sizes are known.
func (o *Output) attachBar(verb string, bytes int64, users int) *bar {
	o.mu.Lock()
	defer o.mu.Unlock()
	options := []progressbar.Option{
		progressbar.OptionSetWriter(o.Err), progressbar.OptionUseANSICodes(true), progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetWidth(barWidth), progressbar.OptionShowCount(), progressbar.OptionSetElapsedTime(false), progressbar.OptionSetPredictTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionSetDescription(verb),
	}
	total := bytes
	if bytes > 0 {
		options = append(options, progressbar.OptionShowBytes(true))
	} else {
		total = int64(users)
		options = append(options, progressbar.OptionShowIts(), progressbar.OptionSetItsString("users"), progressbar.OptionShowTotalBytes(false))
	}
	// One more than there is: the library takes a full bar away, but flags are still written then.
	b := &bar{bar: progressbar.NewOptions64(total+1, options...), max: total}
	o.bar = b
	b.show()
	return b
}

func (o *Output) detachBar() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bar.hide()
	o.bar = nil
}

func (o *Output) draw(done int64, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bar == nil {
		return
	}
	// Errors of a drawing are a terminal's that went away.
	_ = o.bar.bar.Set64(min(done, o.bar.max))
	o.bar.bar.Describe(text)
}

func (b *bar) hide() {
	if b != nil {
		_ = b.bar.Clear()
	}
}

func (b *bar) show() {
	if b != nil {
		_ = b.bar.RenderBlank()
	}
}
