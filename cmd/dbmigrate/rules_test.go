package main

import (
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
)

// TestRulesNameFlags: a rule about a flag that its command does not have would hold nothing.
func TestRulesNameFlags(t *testing.T) {
	for command, rules := range rulesOf {
		cmd := subcommand(command)
		if cmd == nil {
			t.Fatalf("there is no command %s", command)
		}
		for _, r := range append(globalRules, rules...) {
			for _, name := range strings.Fields(strings.Join([]string{r.Flag, r.Needs, r.Not, r.Only}, " ")) {
				if name != commandline.User && cmd.Flag(name) == nil {
					t.Errorf("%s has no flag --%s", command, name)
				}
			}
		}
	}
}
