package main

import (
	"cmp"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/helptext"
	"github.com/dbmigrate/dbmigrate/internal/httptrace"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// feedBack makes a command speak as it was asked to, and never be silent for long.
func (a *app) feedBack(cmd *cobra.Command) {
	a.tap = new(httptrace.Tap)
	if a.out == nil {
		return // help, in a test
	}
	a.out.Quiet, a.out.Verbose = a.global.quiet, a.global.verbose
	if a.global.debug {
		a.tap.Debug = a.out.Say
	}
	if helptext.Effect(cmd, "reads") == "nothing" || cmd.Name() == "dev" || cmd.Name() == "help" || a.quiet != nil || completes(cmd) {
		return // it asks nobody, or it runs another program, or a shell asks
	}
	silence := terminal.Silence{
		Terminal: cmp.Or(a.silence.Terminal, terminal.DefaultSilence.Terminal),
		Log:      cmp.Or(a.silence.Log, terminal.DefaultSilence.Log),
	}
	a.quiet = a.out.Break(silence, func() string { return a.tap.Waiting(time.Now(), min(httptrace.Slow, silence.Log/2)) })
	if stopping, left := wordsOnStop(cmd); left != "" {
		a.signals.During(
			func() { a.out.Warn("stopping: %s (again: leave at once)", stopping) },
			func() []string { return []string{"left at once: " + left} },
		)
	}
}

// wordsOnStop say at a first and a second Ctrl-C what a command has changed; "" of one that changes
// something.
func wordsOnStop(cmd *cobra.Command) (stopping, left string) {
	changes := helptext.Effect(cmd, "changes")
	switch {
	case cmd.Name() == "selftest":
		return "what the probes wrote is deleted first",
			"what the probes wrote may still be there: `dbmigrate selftest --clean` removes it"
	case changes == "nothing":
		return "this command changes nothing", "nothing was changed"
	case strings.HasPrefix(changes, "nothing") && !withFlagOf(changes, cmd):
		return "this command changes nothing at Cloudflare", "nothing was changed at Cloudflare"
	}
	return "", ""
}

// withFlagOf says whether a flag is given that a text of the help names.
func withFlagOf(text string, cmd *cobra.Command) bool {
	for _, name := range flagName.FindAllString(text, -1) {
		if f := cmd.Flags().Lookup(strings.TrimPrefix(name, "--")); f != nil && f.Changed {
			return true
		}
	}
	return false
}

var flagName = regexp.MustCompile(`--[a-z0-9-]+`)
