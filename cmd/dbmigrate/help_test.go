package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/helptext"
)

// TestEveryCommandExplainsItself: purpose in a line, three examples, what it reads and changes, how that is
// undone, how it can exit.
func TestEveryCommandExplainsItself(t *testing.T) {
	for _, cmd := range newRoot(&app{}).Commands() {
		if cmd.Name() == "help" || cmd.IsAdditionalHelpTopicCommand() {
			continue
		}
		if cmd.Short == "" || strings.Contains(cmd.Short, "\n") {
			t.Errorf("%s: purpose %q", cmd.Name(), cmd.Short)
		}
		if n := strings.Count(cmd.Example, "dbmigrate "); n < 3 {
			t.Errorf("%s: %d examples", cmd.Name(), n)
		}
		reads, changes := helptext.Effect(cmd, "reads"), helptext.Effect(cmd, "changes")
		if reads == "" || changes == "" || helptext.ExitCodes(cmd) == "" {
			t.Errorf("%s: reads %q, changes %q, exits %q", cmd.Name(), reads, changes, helptext.ExitCodes(cmd))
		}
		if !strings.HasPrefix(changes, "nothing") && helptext.Effect(cmd, "undo") == "" {
			t.Errorf("%s changes something and does not say how to undo it", cmd.Name())
		}
	}
}

// TestAddressesAreATopic: flags that only set an address are in the help of the topic, and of no command.
func TestAddressesAreATopic(t *testing.T) {
	root := newRoot(&app{})
	shown := func(cmd *cobra.Command) string {
		var b strings.Builder
		cmd.SetOut(&b)
		writeHelp(cmd)
		return b.String()
	}
	for _, cmd := range root.Commands() {
		topic := cmd.Name() == topicConnection
		for _, name := range addressFlags {
			if strings.Contains(shown(cmd), "--"+name+" ") != topic && cmd.Name() != "init" {
				t.Errorf("%s and --%s", cmd.Name(), name)
			}
		}
		if !topic && !strings.Contains(shown(cmd), "help connection") {
			t.Errorf("%s does not name the topic", cmd.Name())
		}
	}
}

// TestEveryCommandIsListed: a command without a group would be missing in the help of dbmigrate.
func TestEveryCommandIsListed(t *testing.T) {
	root := newRoot(&app{})
	var b strings.Builder
	root.SetOut(&b)
	writeHelp(root)
	for _, cmd := range root.Commands() {
		if listed := strings.Contains(b.String(), "\n  "+cmd.Name()+" "); listed != cmd.IsAvailableCommand() {
			t.Errorf("%s: listed %v", cmd.Name(), listed)
		}
	}
}
