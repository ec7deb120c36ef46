package userdb

import (
	"regexp"
	"strings"
)

var (
	plainWord  = regexp.MustCompile(`^[A-Za-z0-9_./:@+,=-]+$`)
	notInQuote = "\"$`\\!"
)

// ShellWord is the text as one word of a command that a person copies into a shell.
func ShellWord(text string) string {
	switch {
	case plainWord.MatchString(text):
		return text
	case !strings.ContainsAny(text, notInQuote):
		return `"` + text + `"`
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// Arg is the id as the last argument of a command that a person copies into a shell: the id `a b` would be
// two users there, and `-x` a flag.
func (u UserID) Arg() string {
	if strings.HasPrefix(string(u), "-") {
		return "-- " + ShellWord(string(u))
	}
	return ShellWord(string(u))
}
