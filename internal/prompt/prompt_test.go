package prompt

import (
	"strings"
	"testing"
)

// TestYesIsNoWord: a yes takes the place of the words only where a command can bring back what is replaced.
func TestYesIsNoWord(t *testing.T) {
	const words = "delete everything of alice"
	for _, c := range []struct {
		yes, kept bool
		given     string
		refused   string
	}{
		{false, false, "", "--confirm"},
		{false, false, words, ""},
		{false, false, "yes", "--confirm"},
		{true, false, "", "--yes is not enough"},
		{true, false, words, ""},
		{true, false, "yes", "--yes is not enough"},
		{false, true, "", "or --yes"},
		{false, true, words, ""},
		{true, true, "", ""},
		{true, true, "other words", "or --yes"},
	} {
		p := Prompt{Yes: c.yes}
		confirm := p.Confirm
		if c.kept {
			confirm = p.ConfirmKept
		}
		err := confirm(t.Context(), "forget", words, c.given)
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
