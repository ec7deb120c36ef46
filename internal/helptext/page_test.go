package helptext

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const page = `feed CAT... | --all
Give cats their food

Give each cat its food.

A cat that has eaten is passed over.

Examples:
  cats feed tom
  cats feed --all

Effects:
  reads:   the bowls
  changes: the bowls;
           the shelf
  undo:    none

Exit codes: 0 2 130
2: no such cat`

func TestPageBecomesCommand(t *testing.T) {
	cmd := Command(page, map[int]string{0: "fed", 1: "bitten", 2: "wrong", 130: "scared away"})
	if cmd.Use != "feed CAT... | --all" || cmd.Short != "Give cats their food" {
		t.Errorf("use %q, short %q", cmd.Use, cmd.Short)
	}
	if cmd.Long != "Give each cat its food.\n\nA cat that has eaten is passed over." {
		t.Errorf("long %q", cmd.Long)
	}
	if Effect(cmd, "changes") != "the bowls;" || Effect(cmd, "undo") != "none" || Effect(cmd, "eats") != "" {
		t.Errorf("effects %q", Effects(cmd))
	}
	var b strings.Builder
	cmd.Run = func(*cobra.Command, []string) {} // else it is a topic
	Compose(&b, cmd, Widest)
	_, sections, _ := strings.Cut(page, "\nExamples:")
	sections = strings.Replace(sections, "Exit codes: 0 2 130\n2: no such cat", "Exit codes:\n    0  fed\n    2  no such cat\n  130  scared away\n", 1)
	if !strings.HasSuffix(b.String(), sections) {
		t.Errorf("help %q", b.String())
	}
}

// TestFlagsKeepTheirValues: a command that is broken is still read by flags.
func TestFlagsKeepTheirValues(t *testing.T) {
	text := "Examples:\n  cats feed --over 1MB --bowls 1,10,100 --slowly > fed.jsonl\n"
	want := "Examples:\n  cats feed --over 1MB \\\n      --bowls 1,10,100 \\\n      --slowly \\\n      > fed.jsonl\n"
	if got := Fit(text, 26); got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// TestColonOfAParagraph: a paragraph that leads to a list is one text, and a title stays alone.
func TestColonOfAParagraph(t *testing.T) {
	text := "Cats are fed. There are\ntwo ways:\n\n  --by-hand  slow\n\nExamples:\n  cats feed\n"
	want := "Cats are fed. There are two ways:\n\n  --by-hand  slow\n\nExamples:\n  cats feed\n"
	if got := Fit(text, 40); got != want {
		t.Errorf("%q", got)
	}
}
