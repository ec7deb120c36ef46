package main

import (
	"context"
	"math"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// waveOptions say how a migrate goes from a canary to everybody. The zero value is one step without a gate.
type waveOptions struct {
	fleet.Steps
	canaryPause units.AgeFlag
	failures    selection.Percent
	rollback    bool
}

// defaultGateFailures lets a wave pass in which a user in fifty could not be moved.
const defaultGateFailures = 2

func (o *waveOptions) add(flags *pflag.FlagSet) {
	o.failures.Of = defaultGateFailures
	commandline.Int(flags, &o.Canary, "canary", 0, 0, math.MaxInt,
		"move this many users (`n`) first, always the same ones, verify them, and only then the others")
	flags.Var(&o.canaryPause, "canary-pause",
		"after the canary wait for this `time`, such as 5m, and verify it again")
	flags.Var(&o.Percents, "waves",
		"move these shares of all users one after the other, such as 1,10,50,100, with a gate between")
	flags.Var(&o.failures, "gate-failures",
		"a gate stops the run when more than this `share` of its wave failed, or when verify finds a difference")
	flags.BoolVar(&o.rollback, "rollback-on-gate", false,
		"if a gate stops the run, roll back the users that its wave migrated")
}

func (o *waveOptions) on() bool { return o.Canary > 0 || len(o.Percents) > 0 }

// waves divides the users, and says how many are beyond the last wave.
func (o *waveOptions) waves(users []inspect.Found, say func(string, ...any)) []fleet.Wave {
	if !o.on() {
		return fleet.All(users)
	}
	waves, in := o.Divide(users), 0
	for _, w := range waves {
		in += len(w.Users)
	}
	if left := len(users) - in; left > 0 {
		say("%s are beyond the last wave and stay where they are", units.Plural(left, "user"))
	}
	return waves
}

// gate is nil where there are no waves.
func (o *waveOptions) gate(e *migrate.Engine) *fleet.Gate {
	if !o.on() {
		return nil
	}
	return &fleet.Gate{Failures: o.failures.Of, Rollback: o.rollback, Pause: o.canaryPause, Verify: e.Verify,
		Undo: func(ctx context.Context, u userdb.UserID) result.Result {
			return e.Rollback(ctx, u, migrate.RollbackOptions{})
		}}
}
