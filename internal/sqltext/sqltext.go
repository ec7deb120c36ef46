// Package sqltext reads and writes SQL text as SQLite splits it: tokens, quotes and the case of names.
package sqltext

import (
	"iter"
	"strings"
)

// Token is one token: a word, a parameter, a quoted name or string with its quotes, the beginning of a
// number, or one character. White space and comments are no tokens.
type Token string

// IsWord says whether t is the unquoted word, in any case.
func (t Token) IsWord(word string) bool { return Fold(string(t)) == Fold(word) }

// IsParameter says whether t stands for a value that is bound.
func (t Token) IsParameter() bool { return t != "" && isParameterByte(t[0]) }

// Unquote returns the name or text that t stands for.
func (t Token) Unquote() string {
	if len(t) < 2 {
		return string(t)
	}
	inner := string(t[1 : len(t)-1])
	switch open := string(t[0]); open {
	case "[":
		return inner
	case `"`, "`", "'":
		return strings.ReplaceAll(inner, open+open, open)
	}
	return string(t)
}

// Tokens yields the tokens of sql, each with what stands between it and the one before. At the end it yields
// an empty one if anything follows the last.
func Tokens(sql string) iter.Seq2[Token, string] {
	return func(yield func(t Token, before string) bool) {
		for sql != "" {
			rest := skipBlank(sql)
			before := sql[:len(sql)-len(rest)]
			n := tokenLength(rest)
			if !yield(Token(rest[:n]), before) {
				return
			}
			sql = rest[n:]
		}
	}
}

// Next splits the first token off sql. An empty token means that there is none.
func Next(sql string) (t Token, rest string) {
	sql = skipBlank(sql)
	n := tokenLength(sql)
	return Token(sql[:n]), sql[n:]
}

// All returns the tokens of sql.
func All(sql string) []Token {
	var all []Token
	for t := range Tokens(sql) {
		if t != "" {
			all = append(all, t)
		}
	}
	return all
}

// Quote quotes a name.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteText quotes a string.
func QuoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Fold lowers the letters of ASCII, as SQLite compares names. Other bytes stay, valid UTF-8 or not.
func Fold(name string) string {
	folded := []byte(name)
	for i, c := range folded {
		if 'A' <= c && c <= 'Z' {
			folded[i] = c + 'a' - 'A'
		}
	}
	return string(folded)
}

func skipBlank(sql string) string {
	for sql != "" {
		switch {
		case strings.IndexByte(" \t\n\f\r", sql[0]) >= 0:
			sql = sql[1:]
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
		case strings.HasPrefix(sql, "/*"):
			_, sql, _ = strings.Cut(sql[2:], "*/")
		default:
			return sql
		}
	}
	return sql
}

func tokenLength(sql string) int {
	if sql == "" {
		return 0
	}
	switch c := sql[0]; {
	case c == '"' || c == '`' || c == '\'':
		return quotedLength(sql, c)
	case c == '[':
		if end := strings.IndexByte(sql, ']'); end >= 0 {
			return end + 1
		}
		return len(sql)
	case isWordByte(c) || isParameterByte(c):
		n := 1
		for n < len(sql) && isWordByte(sql[n]) {
			n++
		}
		return n
	}
	return 1
}

// quotedLength is the length of a quoted token. The quote may be doubled inside.
func quotedLength(sql string, quote byte) int {
	for i := 1; i < len(sql); i++ {
		switch {
		case sql[i] != quote:
		case i+1 < len(sql) && sql[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(sql)
}

func isWordByte(c byte) bool {
	return c >= 0x80 || c == '_' || c == '$' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' ||
		'A' <= c && c <= 'Z'
}

func isParameterByte(c byte) bool { return c == ':' || c == '@' || c == '?' }
