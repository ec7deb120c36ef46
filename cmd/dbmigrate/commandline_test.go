package main

import (
	"slices"
	"testing"
)

// TestCommandLineNamesNobody: records say how a command was given, and not which users it was about.
func TestCommandLineNamesNobody(t *testing.T) {
	cmd := newRollback(&app{})
	given := []string{
		"--exclude",
		"ann",
		"--exclude",
		"bob",
		"--confirm",
		"discard the writes of eve",
		"--discard-writes",
		"eve",
	}
	if err := cmd.ParseFlags(given); err != nil {
		t.Fatal(err)
	}
	line := commandLine(cmd, cmd.Flags().Args())
	if want := []string{"rollback", "--confirm=(given)", "--discard-writes=true", "--exclude=(given)", "(1 user named)"}; !slices.Equal(
		line,
		want,
	) {
		t.Errorf("%q", line)
	}
	gc := newGC(&app{})
	if err := gc.ParseFlags([]string{"--confirm", "3f9a0c1b22de"}); err != nil {
		t.Fatal(err)
	}
	if line := commandLine(gc, nil); !slices.Contains(line, "--confirm=3f9a0c1b22de") {
		t.Errorf("%q", line)
	}
}
