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
	cmd := &cobra.Command{
		Use:   "backup USER... | --users-file FILE | --all --to FOLDER|r2:PREFIX/",
		Short: "Write a proved SQLite file of each user, while the user writes",
		Long: "Write a SQLite file of each user, from the file in R2 or from the Durable Object, whichever serves the user. It is of\n" +
			"one moment, and compared table by table with what was read. No write is refused, and nothing is claimed.\n\n" +
			"A copy is there whole or not at all. Users with a copy under --to are passed over, so the same command again\n" +
			"goes on where it stopped; for a new backup name a new folder. A Durable Object of over 64 KiB is read in small\n" +
			"requests with pauses, and each says what changed since the one before. Full-text and R-tree tables that are written\n" +
			"meanwhile come last, up to 8 MiB of rows; a user with more who never rests fails with kind precondition.\n" +
			"Both halves of a split user are joined.",
		Example: "  dbmigrate backup alice --to backups/today\n" +
			"  dbmigrate backup --all --to r2:backups/2026-11-29/ --waves 1,10,100\n" +
			"  dbmigrate backup --all --shard auto --to backups --output json > results.jsonl",
		Annotations: manual{
			reads:   "the users' files, every row in the Durable Objects",
			changes: "the folder, or objects under the prefix in the bucket; no user",
			undo:    "delete the copies",
			exits:   []int{exitDone, exitFailed, exitUsage, exitDifferent, exitInterrupted},
		}.annotations(),
		RunE: func(cmd *cobra.Command, args []string) error { return a.backup(cmd, &o, args) },
	}
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
	if err := o.pace.check(); err != nil {
		return err
	}
	if err := backup.CheckTarget(o.to); err != nil {
		return err
	}
	if o.failures.Given && len(o.percents) == 0 {
		return usageError("read flags", "", "--gate-failures is about waves", "say --waves, too")
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
