package main

import (
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
)

// watchFlags say what else, beside stdout and stderr, is told of a run.
type watchFlags struct {
	metricsFile string
	reason      string
}

// add adds the flags of every command over users; an act, which changes something, has a reason, too.
func (f *watchFlags) add(flags *pflag.FlagSet, act bool) {
	flags.StringVar(
		&f.metricsFile,
		"metrics-file",
		"",
		"`file` to keep OpenMetrics text in, for node_exporter's textfile collector; its name has to end with .prom there",
	)
	if act {
		flags.StringVar(
			&f.reason,
			"reason",
			"",
			"why, for the audit line: one line of `text`, such as a ticket's number",
		)
	}
}

// watch checks the flags, before anything is begun.
func (a *app) watch(f *watchFlags) (*fleet.Watch, error) {
	w := &fleet.Watch{
		Reason:      f.reason,
		Command:     a.command,
		MetricsFile: f.metricsFile,
		Traffic:     a.traffic,
		Getenv:      a.getenv,
		Warn:        a.out.Warn,
	}
	return w, w.Check()
}

// runner runs jobs at the pace that was asked for.
func (a *app) runner(c *connect.Connection, p *pace, w *fleet.Watch) *fleet.Runner {
	return &fleet.Runner{
		Engine:      c.Engine,
		Out:         a.out,
		Limiter:     c.Limiter,
		Signals:     a.signals,
		Traffic:     a.traffic,
		Observers:   []fleet.Observer{w},
		MaxFailures: p.maxFailures,
		MaxDuration: p.longest(),
	}
}

// summed is the outcome of a command after its summary is written.
func summed(s fleet.Summary, err error) error {
	if err != nil {
		return err
	}
	return ended(s.Exit)
}
