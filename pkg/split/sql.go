package split

import (
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// encodings are those that a header can name.
var encodings = map[string]capi.Encoding{
	"UTF-8":    capi.UTF8,
	"UTF-16le": capi.UTF16le,
	"UTF-16be": capi.UTF16be,
}

// quoteName quotes an identifier.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteText quotes a string.
func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func text(s string) wire.Value { return wire.Value{Class: wire.Text, Bytes: []byte(s)} }

// execAll runs statements one after the other.
func execAll(conn *capi.Conn, statements ...string) error {
	for _, statement := range statements {
		if err := conn.Exec(statement); err != nil {
			return fmt.Errorf("%.200s: %w", statement, err)
		}
	}
	return nil
}

// number reads one integer, 0 where there is none.
func number(conn *capi.Conn, sql string) (n int64, err error) {
	err = conn.Query(sql, nil, func(s *capi.Stmt) error {
		n = s.Int(0)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("%.200s: %w", sql, err)
	}
	return n, nil
}

// scanTokens splits SQL into its tokens as SQLite does, closely enough to tell words from quoted text: white
// space and comments are none.
func scanTokens(sql string) []string {
	var tokens []string
	for {
		sql = skipBlank(sql)
		if sql == "" {
			return tokens
		}
		n := tokenLength(sql)
		tokens = append(tokens, sql[:n])
		sql = sql[n:]
	}
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

// quotedLength is the length of a quoted token; the quote may be doubled inside.
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

// unquoted is the name or text that a token stands for.
func unquoted(token string) string {
	if len(token) < 2 {
		return token
	}
	inner := token[1 : len(token)-1]
	switch open := token[0]; open {
	case '[':
		return inner
	case '"', '`', '\'':
		return strings.ReplaceAll(inner, string(open)+string(open), string(open))
	}
	return token
}
