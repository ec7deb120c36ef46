// Command dbmigrate moves per-user SQLite files from Cloudflare R2 into SQLite-backed Durable Objects, and
// back.
package main

import (
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/httptrace"
	"github.com/dbmigrate/dbmigrate/internal/interrupt"
	"github.com/dbmigrate/dbmigrate/internal/prompt"
	"github.com/dbmigrate/dbmigrate/internal/sandbox"
	"github.com/dbmigrate/dbmigrate/internal/scratch"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

func main() {
	// What users in flight leave behind would otherwise double the memory of a run with many of them.
	debug.SetGCPercent(50)
	sandbox.ServeIfAsked()
	a := &app{
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		getenv:  os.Getenv,
		traffic: fleet.NewTraffic(),
		scratch: scratch.In(os.TempDir()),
	}
	a.out = a.output(formatAsked(os.Args[1:]))
	a.signals = interrupt.Watch(a.out.Warn, func() {
		a.leave()
		os.Exit(exitInterrupted)
	})
	os.Exit(a.execute(os.Args[1:]))
}

// app is what all commands share: the outside world, and the global flags.
type app struct {
	stdin          *os.File
	stdout, stderr *os.File
	results        *terminal.Stdout // what goes to stdout
	getenv         func(string) string
	out            *terminal.Output
	signals        *interrupt.Signals
	traffic        *fleet.Traffic
	scratch        *scratch.Dir
	tap            *httptrace.Tap   // watches what all clients exchange
	silence        terminal.Silence // how long a command may say nothing; zero: the default
	quiet          func()           // ends the talk about what is waited for
	global         globalFlags
	command        []string // as it was given, for records: without the ids of users
}

func (a *app) output(format terminal.Format) *terminal.Output {
	if a.results == nil {
		a.results = terminal.NewStdout(a.stdout)
	}
	return terminal.New(terminal.Options{
		Out: a.results, Err: a.stderr, Format: format,
		OutTerminal: prompt.IsTerminal(a.stdout), ErrTerminal: prompt.IsTerminal(a.stderr) && a.getenv("TERM") != "dumb",
		Colour:      a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb",
		StepSummary: a.getenv("GITHUB_STEP_SUMMARY"),
		Width:       func() int { return prompt.Size(a.stdout).Columns },
		Height:      func() int { return prompt.Size(a.stdout).Rows },
		UTF8:        prompt.ShowsUnicode(a.getenv),
	})
}

// prompt asks the person at the terminal.
func (a *app) prompt() prompt.Prompt {
	return prompt.Prompt{In: a.stdin, Err: a.stderr, Yes: a.global.yes}
}

// execute runs one command line and returns its exit code; the error has been written then.
func (a *app) execute(args []string) int {
	defer a.leave()
	root := newRoot(a)
	commandline.OfferHelp(root)
	root.SetArgs(args)
	err := root.ExecuteContext(a.signals.Stop)
	if a.quiet != nil {
		a.quiet()
	}
	code := exitCode(err)
	if err != nil && !isReported(err) {
		a.out.Error(err, code)
	}
	return a.lostResults(code)
}

// lostResults: scripts read what a command printed, and act on it.
func (a *app) lostResults(code int) int {
	lost := a.results.Lost()
	if lost == nil {
		return code
	}
	a.out.Warn("standard output could not be written: %v: lines are missing there, whatever was done; `dbmigrate runs` lists the runs", lost)
	return max(code, exitFailed)
}

// leave removes the run's scratch files. It is done at every exit that a program can have a say in; what a
// kill leaves, the next run sweeps.
func (a *app) leave() {
	if err := a.scratch.Remove(); err != nil {
		a.out.Warn("remove the run's scratch files: %v", err)
	}
}

// formatAsked reads --output before cobra does, so that an error in the command line itself already has the
// form that was asked for.
func formatAsked(args []string) terminal.Format {
	format := string(terminal.Table)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if arg == "--json" {
			format = string(terminal.JSON)
		}
		if arg == "--output" && i+1 < len(args) {
			format = args[i+1]
		}
		if value, found := strings.CutPrefix(arg, "--output="); found {
			format = value
		}
	}
	if !slices.Contains(terminal.Formats, format) {
		return terminal.Table
	}
	return terminal.Format(format)
}
