package sqltext

import (
	"slices"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	for sql, want := range map[string][]Token{
		"":                              nil,
		" -- only a comment":            nil,
		"/* open":                       nil,
		"SELECT a.b":                    {"SELECT", "a", ".", "b"},
		"x/* ' */=--\n:now+?1":          {"x", "=", ":now", "+", "?1"},
		`"a ""b""" [c d] ` + "`e``f`":   {`"a ""b"""`, "[c d]", "`e``f`"},
		"'it''s' x'00'":                 {"'it''s'", "x", "'00'"},
		"[open":                         {"[open"},
		"'open":                         {"'open"},
		"größe>=1.5e3":                  {"größe", ">", "=", "1", ".", "5e3"},
		"CREATE\tTABLE\r\nt\f(a$1 INT)": {"CREATE", "TABLE", "t", "(", "a$1", "INT", ")"},
	} {
		if got := All(sql); !slices.Equal(got, want) {
			t.Errorf("%q: %q", sql, got)
		}
		var next []Token
		for token, rest := Next(sql); token != ""; token, rest = Next(rest) {
			next = append(next, token)
		}
		if !slices.Equal(next, want) {
			t.Errorf("%q, one after the other: %q", sql, next)
		}
	}
}

func TestQuoteAndUnquote(t *testing.T) {
	for _, name := range []string{"", "a", `a"b`, `""`, "it's", "[x]", "`", "ß\x00\xff"} {
		for _, quoted := range []string{Quote(name), QuoteText(name)} {
			if all := All(quoted); len(all) != 1 || all[0].Unquote() != name {
				t.Errorf("%q is quoted as %q, which is %q", name, quoted, all)
			}
		}
	}
	for token, want := range map[Token]string{"[a b]": "a b", "`a``b`": "a`b", "a": "a", "word": "word", "'": "'"} {
		if got := token.Unquote(); got != want {
			t.Errorf("%q is %q", token, got)
		}
	}
}

// TestFold: SQLite folds ASCII only, and the Kelvin sign is no k.
func TestFold(t *testing.T) {
	if got := Fold("Ä\u212aKey_Z[\xff"); got != "Ä\u212akey_z[\xff" {
		t.Errorf("%q", got)
	}
	if Token("\u212aey").IsWord("key") || !Token("KEY").IsWord("key") {
		t.Error("words are compared as SQLite does not")
	}
}

// FuzzTokens: the tokens and what stands between them are the text, whatever it is.
func FuzzTokens(f *testing.F) {
	for _, sql := range []string{"CREATE TABLE t(a) -- x", "SELECT '", "/* */ \"", "-", "/*", "a /", ":now\xff"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		var whole strings.Builder
		var seen []Token
		for token, before := range Tokens(sql) {
			whole.WriteString(before + string(token))
			if token != "" {
				seen = append(seen, token)
				_ = token.Unquote()
			}
		}
		if whole.String() != sql {
			t.Errorf("%q became %q", sql, whole.String())
		}
		if !slices.Equal(seen, All(sql)) {
			t.Errorf("%q: %q, and %q", sql, seen, All(sql))
		}
	})
}
