package escape

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestTextIsPrintable(t *testing.T) {
	for _, name := range Hostile() {
		for _, got := range []string{Text(name), Cell(name)} {
			if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q became %q", name, got)
			}
		}
	}
}

func TestCellsAreNoFormulas(t *testing.T) {
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "-12.5": "-12.5", "+3": "'+3", "-": "'-", "-x": "'-x", " =x": "' =x", "'=x": "''=x", "＝x": "'＝x", "\t=x": `\t=x`, "a=b": "a=b", "": "", "@x": "'@x", "user-1": "user-1", "1e5": "1e5",
	} {
		if got := Cell(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// The escapes of a JSON text change nothing of what it says.
func TestJSONMeansTheSame(t *testing.T) {
	for _, name := range Hostile() {
		text, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		safe := JSON(append(text, '\n'))
		if strings.ContainsFunc(
			strings.TrimSuffix(string(safe), "\n"),
			func(r rune) bool { return !unicode.IsPrint(r) },
		) {
			t.Errorf("%q became %q", name, safe)
		}
		var before, after string
		if err := json.Unmarshal(text, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(safe, &after); err != nil || after != before {
			t.Errorf("%q became %q (%v)", before, after, err)
		}
	}
}
