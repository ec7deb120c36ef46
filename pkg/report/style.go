package report

import (
	"strconv"
	"strings"
	"unicode"
)

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

// printable escapes what would move a terminal's cursor, change its colours or break a line, and bytes that are not UTF-8.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(unicode.ReplacementChar)):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i]), 16))
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}
