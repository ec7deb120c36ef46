package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/runpage"
	"github.com/dbmigrate/dbmigrate/internal/scan"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
)

type migrateOptions struct {
	selection.Options
	pace
	watchFlags
	reportFlag
	waveOptions
	dryRun           bool
	maxCost          scan.CostCap
	retryQuarantined bool
	writers          writersOptions
	mode             modeOptions
}

func newMigrate(a *app) *cobra.Command {
	var o migrateOptions
	cmd := described("migrate", func(cmd *cobra.Command, args []string) error { return a.migrate(cmd, &o, args) })
	addWhole(&o.Options, cmd.Flags())
	addParts(&o.Options, cmd.Flags())
	addNarrow(&o.Options, cmd.Flags())
	o.pace.add(cmd.Flags())
	o.mode.add(cmd.Flags())
	o.writers.add(cmd.Flags())
	cmd.Flags().Var(&o.maxCost, "max-cost",
		"begin nothing if moving these users may cost more than so many dollars once, estimated on the high side")
	o.waveOptions.add(cmd.Flags())
	o.watchFlags.add(cmd.Flags(), true)
	o.reportFlag.add(cmd.Flags())
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be done, and change nothing")
	cmd.Flags().BoolVar(&o.retryQuarantined, "retry-quarantined", false,
		"try users again even if their file was refused before and has not changed")
	return cmd
}

func (o *migrateOptions) check(flags *pflag.FlagSet, getenv func(string) string) error {
	if err := runpage.CheckReport(o.reportFlag.file); err != nil {
		return err
	}
	if err := o.writers.check(flags, getenv); err != nil {
		return err
	}
	return o.mode.check(flags, o.writers.procedure.Writers)
}

func (a *app) migrate(cmd *cobra.Command, o *migrateOptions, args []string) error {
	if err := o.check(cmd.Flags(), a.getenv); err != nil {
		return err
	}
	o.Talk = a.out
	o.Marks = o.writers.procedure.Routes() // what the file says decides who is routed, not a flag
	o.ShardsByFiles = true
	set, err := o.Parse(args, a.stdin)
	if err != nil {
		return err
	}
	watch, err := a.watch(&o.watchFlags)
	if err != nil {
		return err
	}
	ctx, splits := cmd.Context(), o.mode.policy != nil
	var ahead connect.Ahead
	c, err := a.source(cmd).All(ctx, connect.Need{
		Concurrency: o.concurrency,
		Why:         connect.FillsObjects,
		Shards:      set.Shards(),
		Splits:      splits,
		Moves:       !o.dryRun,
		Meanwhile: func(e *migrate.Engine, c config.Config) {
			ahead.Begin(ctx, e, c, set, o.Prefix, !o.dryRun, a.out.Warn)
		},
	})
	if err != nil {
		return err
	}
	if err := c.Mounted.Agree(&o.writers.procedure, cmd.Flags().Changed("writers"), splits, a.out.Say); err != nil {
		return err
	}
	if err := c.Mounted.RefuseUntold(o.writers.procedure.Writers); err != nil {
		return err
	}
	users, err := ahead.Users()
	if err != nil {
		return err
	}
	if err := set.RefuseNobody(len(users)); err != nil {
		return err
	}
	if err := o.maxCost.Check(users); err != nil {
		return err
	}
	if err := c.MayMove(users, !o.dryRun, a.out.Warn); err != nil {
		return err
	}
	err = a.migrateUsers(cmd, c, o, watch, &ahead, users, !set.Wide)
	if err == nil && o.dryRun {
		return a.refuseUnknown("migrate", set.Unknown(users))
	}
	return err
}

// migrateUsers plans, or does it.
func (a *app) migrateUsers(
	cmd *cobra.Command,
	c *connect.Connection,
	o *migrateOptions,
	watch *fleet.Watch,
	ahead *connect.Ahead,
	users []inspect.Found,
	named bool,
) error {
	e := c.Engine
	guard := &fleet.Guard{List: e.Quarantine, Retry: o.retryQuarantined, Run: e.Run, Warn: a.out.Warn}
	if err := guard.Load(ahead.Known, users); err != nil {
		return err
	}
	waves := o.waves(users, a.out.Say)
	if o.dryRun {
		return fleet.PrintPlan(a.out, waves, guard)
	}
	if _, err := ahead.Flags(); err != nil {
		return err
	}
	r := a.runner(c, &o.pace, watch)
	r.Gate = o.gate(e)
	job := fleet.Job{Action: result.ActionMigrate, Do: guard.Guard(o.mode.move(e)), Strict: named}
	job = r.Follow(job, o.writers.procedure)
	job.Before = c.StillTheWorker(job.Before)
	s, err := r.Run(cmd.Context(), waves, job)
	return a.summed(cmd, c, &o.reportFlag, s, err)
}
