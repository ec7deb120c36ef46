package config

import (
	"bytes"
	"regexp"
	"strings"
)

// insertTOML puts the element at the end of a list in brackets, if the file has one, or adds a table at the
// file's end. TOML that it misreads is found when the result is read again.
func insertTOML(text []byte, a Addition) ([]byte, error) {
	for cut := len(a.Path) - 1; cut >= 0; cut-- {
		if done := intoBrackets(text, a, cut); done != nil {
			return done, nil
		}
	}
	if a.Word != "" {
		return newList(text, a), nil
	}
	return append(bytes.Clone(text), inLinesOf(text, betweenTables(text)+a.TOML()+"\n")...), nil
}

// betweenTables is what is missing at the end of a text before another table.
func betweenTables(text []byte) string {
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return ""
	case text[len(text)-1] != '\n':
		return "\n\n"
	}
	return "\n"
}

// inLinesOf ends the lines of more as those of the text end.
func inLinesOf(text []byte, more string) string {
	return strings.ReplaceAll(more, "\n", newlineOf(text))
}

var tableHead = regexp.MustCompile(`(?m)^[ \t]*\[\[?([^\[\]\n]+)\]\]?[ \t]*(?:#.*)?\r?$`)

// tableLines is where the lines of a table stand; the empty name is the top level.
func tableLines(text []byte, name string) (start, end int, found bool) {
	heads := tableHead.FindAllSubmatchIndex(text, -1)
	start, found = 0, name == ""
	for _, head := range heads {
		if found {
			return start, head[0], true
		}
		if plainName(string(text[head[2]:head[3]])) == name {
			start, found = head[1], true
		}
	}
	return start, len(text), found
}

var aroundDots = regexp.MustCompile(`\s*\.\s*`)

func plainName(name string) string {
	return strings.NewReplacer(`"`, "", `'`, "").Replace(aroundDots.ReplaceAllString(strings.TrimSpace(name), "."))
}

// intoBrackets adds to `key = [...]` in the table that the first names of the path are. Lists of lists are
// left alone.
func intoBrackets(text []byte, a Addition, cut int) []byte {
	start, end, found := tableLines(text, strings.Join(a.Path[:cut], "."))
	if !found {
		return nil
	}
	var names []string
	for _, name := range a.Path[cut:] {
		names = append(names, `["']?`+regexp.QuoteMeta(name)+`["']?`)
	}
	list := regexp.MustCompile(`(?m)^[ \t]*` + strings.Join(names, `[ \t]*\.[ \t]*`) + `[ \t]*=[ \t]*\[([^\[\]#]*)\]`)
	at := list.FindSubmatchIndex(text[start:end])
	if at == nil {
		return nil
	}
	from, to := start+at[2], start+at[3]
	inside := text[from:to]
	kept := bytes.TrimRight(inside, " \t\r\n")
	item := a.inlineTOML()
	switch {
	case len(kept) > 0 && kept[len(kept)-1] != ',':
		item = ", " + item
	case len(kept) > 0:
		item = " " + item + ","
	}
	at0 := from + len(kept)
	return bytes.Join([][]byte{text[:at0], []byte(item), text[at0:]}, nil)
}

// newList adds `key = [...]` after the last line of its table.
func newList(text []byte, a Addition) []byte {
	parent := a.Path[:len(a.Path)-1]
	start, end, found := tableLines(text, strings.Join(parent, "."))
	line := a.Path[len(a.Path)-1] + " = [" + quoted(a.Word) + "]\n"
	if !found {
		return append(bytes.Clone(text), inLinesOf(text, betweenTables(text)+"["+dotted(parent)+"]\n"+line)...)
	}
	at := start + lastStatement(text[start:end])
	if at > 0 && text[at-1] != '\n' {
		line = "\n" + strings.TrimSuffix(line, "\n")
	}
	return bytes.Join([][]byte{text[:at], []byte(inLinesOf(text, line)), text[at:]}, nil)
}

// lastStatement is where the last line ends that is neither empty nor a comment.
func lastStatement(lines []byte) int {
	end, at := 0, 0
	for line := range bytes.Lines(lines) {
		at += len(line)
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '#' {
			end = at
		}
	}
	return end
}
