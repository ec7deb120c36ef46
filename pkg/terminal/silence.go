package terminal

import (
	"time"

	"github.com/dbmigrate/dbmigrate/internal/escape"
)

// Silence says how long a command may say nothing.
type Silence struct {
	Terminal time.Duration // until a terminal shows what is waited for
	Log      time.Duration // until a log gets a line
}

// DefaultSilence is feedback within a second at a terminal, and a line within 5 seconds in a log.
var DefaultSilence = Silence{Terminal: 800 * time.Millisecond, Log: 3800 * time.Millisecond}

// Break says what a command waits for whenever it was silent for too long. waiting is "" where everything
// answers. A log that follows a run has its own lines then. The function that it returns ends it.
func (o *Output) Break(s Silence, waiting func() string) (stop func()) {
	if o.Quiet {
		return func() {}
	}
	after := s.Log
	if o.ErrTerminal {
		after = s.Terminal
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(after / 8)
		defer ticker.Stop()
		for {
			select {
			case <-end:
				o.hideStatus()
				return
			case <-ticker.C:
				o.breakSilence(after, waiting)
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

func (o *Output) breakSilence(after time.Duration, waiting func() string) {
	o.mu.Lock()
	silent, following, at := time.Since(o.spoke) >= after && !o.paged, o.following, o.at
	o.mu.Unlock()
	text := waiting()
	switch {
	case !silent || following && (text == "" || o.ErrTerminal):
	case text == "":
		o.stillThere("still at work" + at)
	default:
		o.stillThere("waiting for " + text + at)
	}
}

// At says at which of its parts a command is, for the lines that break its silence.
func (o *Output) At(part string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = " (" + part + ")"
}

// stillThere draws a status over the last one at a terminal, and writes a line in a log.
func (o *Output) stillThere(text string) {
	if !o.ErrTerminal {
		o.Say("%s", text)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paged {
		return // since this moment
	}
	if o.block == nil {
		o.block = &block{w: o.Err, width: widthOf(o.Err)}
	}
	o.block.plain = escape.Text(text)
	o.block.show()
}

func (o *Output) hideStatus() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.block != nil && o.block.plain != "" {
		o.block.hide()
		o.block = nil
	}
}
