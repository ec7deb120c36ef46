package main

import (
	"strings"
	"testing"
)

// TestEveryCommandExplainsItself: purpose in a line, three examples, what it reads and changes, how that is undone, how it can exit.
func TestEveryCommandExplainsItself(t *testing.T) {
	for _, cmd := range newRoot(&app{}).Commands() {
		if cmd.Name() == "help" {
			continue
		}
		if cmd.Short == "" || strings.Contains(cmd.Short, "\n") {
			t.Errorf("%s: purpose %q", cmd.Name(), cmd.Short)
		}
		if n := strings.Count(cmd.Example, "dbmigrate "); n < 3 {
			t.Errorf("%s: %d examples", cmd.Name(), n)
		}
		notes := cmd.Annotations
		if notes[noteReads] == "" || notes[noteChanges] == "" || notes[noteExits] == "" {
			t.Errorf("%s: reads %q, changes %q, exits %q", cmd.Name(), notes[noteReads], notes[noteChanges], notes[noteExits])
		}
		if !strings.HasPrefix(notes[noteChanges], "nothing") && notes[noteUndo] == "" {
			t.Errorf("%s changes something and does not say how to undo it", cmd.Name())
		}
	}
}
