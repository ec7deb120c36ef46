package main

import (
	"math"
	"time"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/breaker"
	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/concurrency"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/httptrace"
	"github.com/dbmigrate/dbmigrate/internal/units"
)

// looksAtOnce is how many users are looked at at once by default, where nothing follows what the platform
// bears.
const looksAtOnce = 8

// pace is how fast and how stubbornly a run over users goes.
type pace struct {
	concurrency int
	maxFailures int
	maxDuration units.AgeFlag
	giveUpAfter units.AgeFlag
}

func (p *pace) add(flags *pflag.FlagSet) {
	addConcurrency(&p.concurrency, flags, concurrency.DefaultCap,
		"how many users are worked on at once, at most; fewer at first, and while a server is overloaded")
	commandline.Int(flags, &p.maxFailures, "max-failures", 0, 0, math.MaxInt,
		"stop starting users after n failures (0: no limit)")
	flags.Var(&p.maxDuration, "max-duration",
		"stop starting users after this `time`, such as 50m; those in flight are finished")
	p.giveUpAfter = units.AgeFlag{
		Duration: breaker.DefaultGiveUp,
		Typed:    "10m",
	}
	flags.Var(&p.giveUpAfter, "give-up-after",
		"if the Worker or R2 stops answering, begin no users and wait up to this `time` for it")
}

func addConcurrency(to *int, flags *pflag.FlagSet, users int, usage string) {
	commandline.Int(flags, to, "concurrency", users, 1, 1000, usage)
}

// longest is how long users may be begun; 0 is no limit.
func (p *pace) longest() time.Duration {
	if p.maxDuration.Typed == "" {
		return 0
	}
	return max(p.maxDuration.Duration, 1)
}

// watchFlags say what else, beside stdout and stderr, is told of a run.
type watchFlags struct {
	metricsFile string
	reason      string
}

// add adds the flags of every command over users; an act, which changes something, has a reason, too.
func (f *watchFlags) add(flags *pflag.FlagSet, act bool) {
	flags.StringVar(&f.metricsFile, "metrics-file", "",
		"`file` to keep OpenMetrics text in, for node_exporter's textfile collector; its name has to end with .prom there")
	if act {
		flags.StringVar(&f.reason, "reason", "",
			"why, for the audit line: one line of `text`, such as a ticket's number")
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
		Elsewhere:   w.Elsewhere,
		Waiting:     func() string { return a.tap.Waiting(time.Now(), httptrace.Slow) },
		Where:       whereFlags(a.command),
		MaxFailures: p.maxFailures,
		MaxDuration: p.longest(),
		Services:    c.Probes(),
		GiveUpAfter: p.giveUpAfter.Duration,
	}
}

// summed is the outcome of a command after its summary is written.
func summed(s fleet.Summary, err error) error {
	if err != nil {
		return err
	}
	return ended(s.Exit)
}
