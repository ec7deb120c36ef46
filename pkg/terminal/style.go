package terminal

// Style is what a piece of text means to the reader; a terminal shows it as a colour.
type Style int

// The styles.
const (
	Plain Style = iota
	Good
	Attention
	Bad
	Faint
)

var ansi = map[Style]string{Good: "\x1b[32m", Attention: "\x1b[33m", Bad: "\x1b[31m", Faint: "\x1b[2m"}

func (s Style) paint(text string) string {
	if code := ansi[s]; code != "" && text != "" {
		return code + text + "\x1b[0m"
	}
	return text
}

func (o *Output) errStyle(s Style) Style {
	if o.ErrTerminal && o.Colour {
		return s
	}
	return Plain
}

func (o *Output) outStyle(s Style) Style {
	if o.OutTerminal && o.Colour {
		return s
	}
	return Plain
}
