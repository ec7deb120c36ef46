package sqlitefile

import "strings"

// token is one token of SQL as SQLite splits it: a word, a quoted name or string with its quotes, a number's
// beginning, or one character. White space and comments are no tokens.
type token string

// isWord says whether t is the unquoted word, in any case.
func (t token) isWord(word string) bool { return strings.EqualFold(string(t), word) }

// name is the identifier that t stands for, without quotes.
func (t token) name() string {
	if len(t) < 2 {
		return string(t)
	}
	open, inner := t[0], string(t[1:len(t)-1])
	switch open {
	case '[':
		return inner
	case '"', '`', '\'':
		return strings.ReplaceAll(inner, string(open)+string(open), string(open))
	}
	return string(t)
}

// nextToken splits the first token off sql; an empty token means that there is none.
func nextToken(sql string) (t token, rest string) {
	sql = skipBlank(sql)
	if sql == "" {
		return "", ""
	}
	n := tokenLength(sql)
	return token(sql[:n]), sql[n:]
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
	case isWordByte(c):
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
		if sql[i] != quote {
			continue
		}
		if i+1 < len(sql) && sql[i+1] == quote {
			i++
			continue
		}
		return i + 1
	}
	return len(sql)
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

func isWordByte(c byte) bool {
	return c >= 0x80 || c == '_' || c == '$' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' ||
		'A' <= c && c <= 'Z'
}

// createdType says what kind of object a CREATE text makes: "table", "index", "view", "trigger", "virtual",
// or "" for anything else.
func createdType(sql string) string {
	t, rest := nextToken(sql)
	if !t.isWord("CREATE") {
		return ""
	}
	for {
		t, rest = nextToken(rest)
		switch word := strings.ToLower(string(t)); word {
		case "unique":
			continue
		case "table", "index", "view", "trigger", "virtual":
			return word
		}
		return ""
	}
}

// moduleOf is the module of a CREATE VIRTUAL TABLE text, in lower case, and "" for another text.
func moduleOf(sql string) string {
	if createdType(sql) != "virtual" {
		return ""
	}
	for t, rest := nextToken(sql); t != ""; t, rest = nextToken(rest) {
		if t.isWord("USING") {
			module, _ := nextToken(rest)
			return strings.ToLower(module.name())
		}
	}
	return ""
}

// quoteName quotes an identifier.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
