package sqlitefile

import (
	"bytes"
	"strings"
)

// Affinity is a column's type affinity (sqlite.org/datatype3.html, section 3).
type Affinity uint8

// The affinities. None is what SQLite calls BLOB: values stay as they are.
const (
	None Affinity = iota
	TextAffinity
	NumericAffinity
	IntegerAffinity
	RealAffinity
)

// affinityOf derives the affinity from a declared type, by SQLite's five rules in their order; ANY of a
// STRICT table keeps values as they are.
func affinityOf(declared string, strict bool) Affinity {
	upper := upperASCII(declared)
	has := func(part string) bool { return strings.Contains(upper, part) }
	switch {
	case strict && upper == "ANY":
		return None
	case has("INT"):
		return IntegerAffinity
	case has("CHAR"), has("CLOB"), has("TEXT"):
		return TextAffinity
	case has("BLOB"), declared == "":
		return None
	case has("REAL"), has("FLOA"), has("DOUB"):
		return RealAffinity
	}
	return NumericAffinity
}

// upperASCII leaves other letters alone, as SQLite does.
func upperASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, s)
}

// looksNumeric says whether SQLite takes a text for a number where a column's affinity asks for one: optional
// white space, sign, digits with a point among them, exponent, white space, and nothing else but a NUL with
// anything behind it (true of 3.54; older versions kept such a text, so files have it; a Durable Object would
// cut it).
func looksNumeric(text []byte) bool {
	text, _, _ = bytes.Cut(text, []byte{0})
	text = trimSpace(text)
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	whole := digits(text)
	text = text[whole:]
	fraction := 0
	if len(text) > 0 && text[0] == '.' {
		fraction = digits(text[1:])
		text = text[1+fraction:]
	}
	if whole+fraction == 0 {
		return false
	}
	return len(text) == 0 || isExponent(text)
}

func isExponent(text []byte) bool {
	if text[0] != 'e' && text[0] != 'E' {
		return false
	}
	text = text[1:]
	if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
		text = text[1:]
	}
	return len(text) > 0 && digits(text) == len(text)
}

func digits(text []byte) int {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return n
}

func trimSpace(text []byte) []byte {
	for len(text) > 0 && isSpace(text[0]) {
		text = text[1:]
	}
	for len(text) > 0 && isSpace(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

// isSpace is SQLite's own idea of white space.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
