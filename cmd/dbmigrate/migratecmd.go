package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/runs"
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
	cmd := &cobra.Command{
		Use:   "migrate USER... | --over SIZE | --users-file FILE | --all",
		Short: "Move users into their Durable Objects",
		Long: "Move users from their file in R2 into their Durable Object, while they work.\n\n" +
			"Each user is copied, compared table by table on both sides, and switched; writes wait for a moment only. A user who\n" +
			"cannot be moved exactly is refused with the reason, stays in R2, and is passed over until the file changes; the others\n" +
			"go on. The same command again goes on where it stopped, or finds nothing to do. Ways of choosing users intersect.\n\n" +
			"--canary and --waves go step by step. After each step, every user that it moved is verified, and a gate decides\n" +
			"whether the next one begins.\n\n" +
			"--mode split moves only the rows that a policy calls cold; hot ones stay in the file, and the application asks\n" +
			"both sides. To change the mode of a user who has moved, migrate first rolls the user back to the file. Without\n" +
			"--mode, split users stay as they are.\n\n" +
			"The first Ctrl-C begins no more users and lets those in flight finish; the second one leaves at once. Both are safe.",
		Example: "  dbmigrate migrate alice bob\n" +
			"  dbmigrate migrate --over 1MB --canary 5 --canary-pause 10m --waves 1,10,50,100 --rollback-on-gate\n" +
			"  dbmigrate migrate --over 1MB --mode split --policy cold.toml\n" +
			"  dbmigrate migrate --all --shard auto --max-duration 50m --output json > results.jsonl",
		Annotations: manual{
			reads:   "the users' files and flags, the state of their Durable Objects",
			changes: "the Durable Objects' content; a fence in the header of each file (its data stays);\nthe KV flags migrated:USER and split:USER; with --mode split the file itself; notes under .dbmigrate/ in the bucket. Nothing with --dry-run",
			undo:    "dbmigrate rollback",
			exits:   []int{exitDone, exitFailed, exitUsage, exitDifferent, exitInterrupted},
		}.annotations(),
		RunE: func(cmd *cobra.Command, args []string) error { return a.migrate(cmd, &o, args) },
	}
	addWhole(&o.Options, cmd.Flags())
	addParts(&o.Options, cmd.Flags())
	addNarrow(&o.Options, cmd.Flags())
	o.pace.add(cmd.Flags())
	o.mode.add(cmd.Flags())
	o.writers.add(cmd.Flags())
	cmd.Flags().Var(
		&o.maxCost,
		"max-cost",
		"begin nothing if moving these users may cost more than so many dollars once, estimated on the high side",
	)
	o.waveOptions.add(cmd.Flags())
	o.watchFlags.add(cmd.Flags(), true)
	o.reportFlag.add(cmd.Flags())
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be done, and change nothing")
	cmd.Flags().
		BoolVar(&o.retryQuarantined, "retry-quarantined", false, "try users again even if their file was refused before and has not changed")
	return cmd
}

func (o *migrateOptions) check(flags *pflag.FlagSet) error {
	if err := o.pace.check(); err != nil {
		return err
	}
	if err := o.waveOptions.check(); err != nil {
		return err
	}
	if err := runs.CheckReport(o.reportFlag.file); err != nil {
		return err
	}
	if err := o.writers.check(flags); err != nil {
		return err
	}
	return o.mode.check(flags, o.writers.procedure.Writers)
}

func (a *app) migrate(cmd *cobra.Command, o *migrateOptions, args []string) error {
	if err := o.check(cmd.Flags()); err != nil {
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
	a.report(cmd, c, &o.reportFlag, s.Users)
	return summed(s, err)
}
