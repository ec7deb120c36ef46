package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/backup"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// writePauseVariable names an environment variable that stands in for the pause between two requests of a
// backup while the application writes. Programs have none. Builds for tests set it, as kvWindowVariable.
var writePauseVariable string

type backupOptions struct {
	selection.Options
	pace
	watchFlags
	to       string
	percents fleet.Percents
	failures selection.Percent
}

func newBackup(a *app) *cobra.Command {
	var o backupOptions
	cmd := described("backup", func(cmd *cobra.Command, args []string) error { return a.backup(cmd, &o, args) })
	flags := cmd.Flags()
	addWhole(&o.Options, flags)
	addParts(&o.Options, flags)
	addNarrow(&o.Options, flags)
	o.pace.add(flags)
	o.watchFlags.add(flags, true)
	o.failures.Of = defaultGateFailures
	flags.StringVar(&o.to, "to", "", "where the copies go: a folder, or `r2:PREFIX/` in the same bucket")
	flags.Var(&o.percents, "waves",
		"back up these shares of all users one after the other, such as 1,10,100; each wave's copies are read again")
	flags.Var(&o.failures, "gate-failures",
		"requires --waves: stop when more than this `share` of a wave failed, or when a copy reads differently")
	return cmd
}

func (a *app) backup(cmd *cobra.Command, o *backupOptions, args []string) error {
	if err := backup.CheckTarget(o.to); err != nil {
		return err
	}
	o.WithoutFlags, o.Talk = true, a.out
	watch, err := a.watch(&o.watchFlags)
	if err != nil {
		return err
	}
	n := connect.Need{Concurrency: o.concurrency, Why: connect.LooksAtObjects}
	c, err := a.source(cmd).Choose(cmd.Context(), &o.Options, args, a.stdin, n)
	if err != nil {
		return err
	}
	target, err := backup.NewTarget(o.to, c.Files, c.Layout)
	if err != nil {
		return err
	}
	if c.Engine.WritePause, err = durationIn(a.getenv, writePauseVariable, 0); err != nil {
		return err
	}
	r := a.runner(c.Connection, &o.pace, watch)
	waves := fleet.All(c.Users)
	if len(o.percents) > 0 {
		waves = fleet.Steps{Percents: o.percents}.Divide(c.Users)
		r.Gate = &fleet.Gate{
			Failures: o.failures.Of,
			Verify: func(ctx context.Context, u userdb.UserID) result.Result {
				return target.Check(ctx, c.Engine, u)
			},
		}
	}
	job := fleet.Job{Action: result.ActionBackup, Do: target.Job(c.Engine)}
	return summed(r.Run(cmd.Context(), waves, job))
}
