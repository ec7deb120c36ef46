package suggest

import "testing"

func TestWord(t *testing.T) {
	commands := []string{"doctor", "gc", "migrate", "rollback", "scan", "status", "verify", "version"}
	for word, want := range map[string]string{
		"scna": "scan", "migrat": "migrate", "mirgate": "migrate", "Rollback": "rollback", "roll": "rollback", "verfy": "verify", "ver": "verify",
		"delete": "", "x": "", "": "", "gcc": "gc",
	} {
		if got := Word(word, commands); got != want {
			t.Errorf("Word(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestHint(t *testing.T) {
	if got := Hint("wuer", []string{"weur", "eeur"}); got != "did you mean weur? " {
		t.Errorf("Hint = %q", got)
	}
	if got := Hint("zzzzzz", []string{"weur"}); got != "" {
		t.Errorf("Hint = %q, want none", got)
	}
}

func TestOr(t *testing.T) {
	for word, want := range map[string]string{"wuer": `did you mean "weur"?`, "zzzzzz": "see --help"} {
		if got := Or(word, []string{"weur", "eeur"}, "see --help"); got != want {
			t.Errorf("Or(%q) = %q, want %q", word, got, want)
		}
	}
}
