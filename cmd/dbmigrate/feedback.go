package main

import (
	"cmp"
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
	if helptext.Effect(cmd, "changes") == "nothing" {
		a.signals.During(
			func() { a.out.Warn("stopping: this command changes nothing (again: leave at once)") },
			func() []string { return []string{"left at once: nothing was changed"} },
		)
	}
}
