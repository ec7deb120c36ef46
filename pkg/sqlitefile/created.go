package sqlitefile

import (
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/sqltext"
)

// createdType says what kind of object a CREATE text makes: "table", "index", "view", "trigger", "virtual",
// or "" for anything else.
func createdType(sql string) string {
	t, rest := sqltext.Next(sql)
	if !t.IsWord("CREATE") {
		return ""
	}
	for {
		t, rest = sqltext.Next(rest)
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
	for t, rest := sqltext.Next(sql); t != ""; t, rest = sqltext.Next(rest) {
		if t.IsWord("USING") {
			module, _ := sqltext.Next(rest)
			return strings.ToLower(module.Unquote())
		}
	}
	return ""
}
