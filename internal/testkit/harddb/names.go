package harddb

import (
	"fmt"
	"strings"
)

// hardNames are names of tables, columns and the rest; %d makes them different.
var hardNames = []string{
	"plain%d", "two words %d", "quo\"te%d", "it's %d", "new\nline%d", "carriage\r\n%d", "tab\t%d", "[brackets]%d", "back`tick%d", "semi;colon --%d", "/* %d */", "ünï%d", "ключ%d", "名前%d",
	"🦁%d", "e\u0301%d", "é%d", "UPPER%d", "%%s%d", "$%d", "?%d", ":p%d", "@%d", "%d", "-%d", "a.b%d", "\\%d", "\x01%d", "cf_%d", "__cf_%d", "_cfx%d", "value%d", "json_each%d", "main%d",
}

// plainNames are names that mean something to SQLite, or to this program.
var plainNames = []string{
	"",
	" ",
	"select",
	"table",
	"index",
	"order",
	"group",
	"from",
	"where",
	"values",
	"null",
	"default",
	"key",
	"json_each",
	"json_tree",
	"main",
	"temp",
	"sqlite",
	"value",
	"new",
	"old",
	"data",
	"rows",
	"tables",
	"dbmigrate_scratch",
	"_dbmigrate",
	"__proto__",
	"constructor",
	"toString",
	"stat",
	"seq",
	"name",
}

// name makes a name that is not yet in use, and is not quoted.
func (b *builder) name() string {
	for {
		name := fmt.Sprintf(pick(b, hardNames), b.random.IntN(100))
		switch b.random.IntN(12) {
		case 0, 1:
			name = pick(b, plainNames)
		case 2:
			name = strings.Repeat(name, 1+200/len(name))
		}
		if !b.used[strings.ToLower(name)] {
			b.used[strings.ToLower(name)] = true
			return name
		}
	}
}

// simple makes a new name of letters and digits.
func (b *builder) simple(prefix string) string {
	for i := 0; ; i++ {
		name := fmt.Sprintf("%s%d", prefix, i)
		if !b.used[name] {
			b.used[name] = true
			return name
		}
	}
}

// columns makes n names that differ among themselves.
func (b *builder) columns(n int) []string {
	own := &builder{random: b.random, used: map[string]bool{}}
	for _, rowid := range rowidNames {
		own.used[rowid] = true
	}
	names := make([]string, n)
	for i := range names {
		names[i] = own.name()
	}
	return names
}

var rowidNames = []string{"rowid", "oid", "_rowid_"}

// quote writes a name in one of the ways that SQLite takes.
func (b *builder) quote(name string) string {
	switch way := b.random.IntN(6); {
	case way == 0 && !strings.ContainsAny(name, "]"):
		return "[" + name + "]"
	case way == 1:
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return quote(name)
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// noise is what may stand between two words of a CREATE text.
func (b *builder) noise() string {
	return pick(
		b,
		[]string{
			" ",
			" ",
			" ",
			"  ",
			"\n",
			"\r\n",
			"\t",
			" -- it's a \"comment\"\n",
			" /* ; ) */ ",
			"/**/",
			" -- ünï 🦁\r\n ",
		},
	)
}
