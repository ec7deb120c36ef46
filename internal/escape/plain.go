// Package escape makes other people's names harmless where people read them: names of users, tables and
// buckets, metadata, messages of servers.
package escape

import (
	"strconv"
	"strings"
	"unicode"
)

// Text escapes what would move a terminal's cursor, change its colours, turn the direction of writing or
// break a line, and bytes that are not UTF-8.
func Text(s string) string {
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

// formulas are what a cell begins with that a spreadsheet computes; some take the wide forms, too.
var formulas = []string{"=", "+", "-", "@", "＝", "＋", "－", "＠"}

// Cell is Text that no spreadsheet takes for a formula: an apostrophe goes before what begins like one.
// Negative numbers stay as they are.
func Cell(s string) string {
	s = Text(s)
	if _, err := strconv.ParseFloat(s, 64); err == nil && !strings.HasPrefix(s, "+") {
		return s
	}
	begin := strings.TrimLeft(s, " '")
	for _, sign := range formulas {
		if strings.HasPrefix(begin, sign) {
			return "'" + s
		}
	}
	return s
}

// JSON escapes in a JSON text what Text escapes: it stands in strings only, and there an escape means the
// same.
func JSON(text []byte) []byte {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case r < 0x20 || unicode.IsPrint(r): // Go's encoder has escaped control characters in strings: these are line ends
			b.WriteRune(r)
		case r > 0xffff:
			for _, half := range []rune{0xd800 + (r-0x10000)>>10, 0xdc00 + (r-0x10000)&0x3ff} {
				b.WriteString(`\u` + strconv.FormatInt(int64(half), 16))
			}
		default:
			hex := strconv.FormatInt(int64(r), 16)
			b.WriteString(`\u` + "0000"[len(hex):] + hex)
		}
	}
	return []byte(b.String())
}

// Hostile makes names that a report must survive: each beginning before each payload, for tests.
func Hostile() []string {
	beginnings := []string{
		"",
		"=",
		"+",
		"-",
		"@",
		"\t=",
		"\r=",
		" =",
		"'=",
		"＝",
		"＠",
		`"`,
		"';",
		"a,=",
		"a;=",
		"|",
		"- ",
		"# ",
		"\n",
		"\\",
	}
	payloads := []string{
		"HYPERLINK(\"http://evil\",\"x\")", "cmd|' /C calc'!A0", "1+1", "2", "",
		"\x1b]0;pwned\a", "\x1b[2J\x1b[31m", "\u009b31m", "\x7f", "\x00", "\b\b\b", "\u202egnp.exe", "\u2066x\u2069", "\u2028", "\U000e0041", "\xff\xfe",
		"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"><svg onload=alert(1)>", "&lt;b&gt;", "{{.}}",
		"[x](javascript:alert(1))", "![x](http://evil/p)", "`x`", "*x*", "$x$", ":tada:", "@everyone", "www.evil.example", "https://evil.example", "| x | y |", "second\n| line |", "</td></table>",
	}
	var names []string
	for _, beginning := range beginnings {
		for _, payload := range payloads {
			names = append(names, beginning+payload)
		}
	}
	return names
}
