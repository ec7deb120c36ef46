// Package helptext is the help of commands: their pages, what is printed of them, and how lines fit.
package helptext

import (
	"regexp"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// Fit breaks the lines of a help for a terminal: paragraphs are filled, lists keep their indent, and
// examples stay commands. Without a width it is left as it is.
func Fit(text string, width int) string {
	if width == 0 {
		return text
	}
	var b strings.Builder
	var paragraph []string
	end := func() {
		if len(paragraph) > 0 {
			b.WriteString(strings.Join(terminal.Wrap(strings.Join(paragraph, " "), width), "\n") + "\n")
		}
		paragraph = nil
	}
	title, item := "", ""
	endItem := func() {
		if item != "" {
			b.WriteString(fitLine(item, width))
		}
		item = ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, " ")
		// A paragraph, too, may end with a colon.
		titled := strings.HasSuffix(line, ":") && !indented && len(paragraph) == 0
		if line == "" || indented {
			end()
		}
		if continuesItem(item, line) {
			item += " " + strings.TrimSpace(line)
			continue
		}
		endItem()
		switch {
		case line == "":
			b.WriteString("\n")
		case titled:
			title = line
			b.WriteString(line + "\n")
		case !indented:
			paragraph = append(paragraph, line)
		case title == "Usage:":
			b.WriteString(fitUsage(line, width))
		case title == "Examples:":
			b.WriteString(fitCommand(line, width))
		default:
			item = line
		}
	}
	end()
	endItem()
	return b.String()
}

// named is the beginning of a line that names something: the text about it stands behind two blanks, or a
// colon.
var named = regexp.MustCompile(`^\s+\S.*?(:\s+|\s{2,})`)

// continuesItem says whether a line goes on with the text of the list item before it: it stands under that
// text.
func continuesItem(item, line string) bool {
	head := uniseg.StringWidth(named.FindString(item))
	return head > 0 && line != "" && len(line)-len(strings.TrimLeft(line, " ")) == head
}

// fitLine breaks a line of a list, under its own text.
func fitLine(line string, width int) string {
	head := named.FindString(line)
	if head == "" || len(head) > width/2 {
		head = line[:len(line)-len(strings.TrimLeft(line, " "))]
	}
	indent := strings.Repeat(" ", uniseg.StringWidth(head))
	lines := terminal.Wrap(line[len(head):], max(width-len(indent), 20))
	return head + strings.Join(lines, "\n"+indent) + "\n"
}

// fitUsage breaks the usage of a command so that its second line is none of its own.
func fitUsage(line string, width int) string {
	const more = "      "
	lines := terminal.Wrap(strings.TrimSpace(line), width-len(more))
	return "  " + strings.Join(lines, "\n"+more) + "\n"
}

// fitCommand breaks a command of the shell so that it can still be copied. A remark goes on as a remark.
func fitCommand(line string, width int) string {
	command, remark, remarked := strings.Cut(line, " # ")
	if !remarked || uniseg.StringWidth(line) <= width {
		return fitWords(line, width) + "\n"
	}
	head := command + " # "
	if uniseg.StringWidth(head) > width/2 {
		head = "  # "
		return fitWords(strings.TrimRight(command, " "), width) + "\n" + fitRemark(head, remark, width)
	}
	return fitRemark(head, remark, width)
}

func fitRemark(head, remark string, width int) string {
	column := uniseg.StringWidth(head) - len("# ")
	lines := terminal.Wrap(remark, width-uniseg.StringWidth(head))
	return head + strings.Join(lines, "\n"+strings.Repeat(" ", column)+"# ") + "\n"
}

func fitWords(line string, width int) string {
	var b strings.Builder
	used := 0
	for _, word := range together(words(line)) {
		w := uniseg.StringWidth(word)
		if used > 0 && used+w > width-len(" \\") {
			b.WriteString(" \\\n     ")
			used, word = 5, " "+strings.TrimLeft(word, " ")
			w = uniseg.StringWidth(word)
		}
		b.WriteString(word)
		used += w
	}
	return b.String()
}

// together keeps a flag with its value, and a redirection with its file.
func together(words []string) (parts []string) {
	for _, word := range words {
		bare := strings.TrimLeft(word, " ")
		last := len(parts) - 1
		if last >= 0 && !strings.ContainsAny(bare[:1], "->|") && bindsNext.MatchString(parts[last]) {
			parts[last] += word
			continue
		}
		parts = append(parts, word)
	}
	return parts
}

// bindsNext is a flag without its value, or the sign of a redirection or pipe.
var bindsNext = regexp.MustCompile(`^ *(--?[a-z-]+|[>|])$`)

// words parts a command at its blanks, which stay before the words; what is quoted stays whole.
func words(line string) (parts []string) {
	quote, begun, word := rune(0), false, ""
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		}
		if r == ' ' && quote == 0 && begun {
			parts, word, begun = append(parts, word), "", false
		}
		begun = begun || r != ' '
		word += string(r)
	}
	return append(parts, word)
}
