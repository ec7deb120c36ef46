package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/restore"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/backup"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
)

type restoreOptions struct {
	selection.Options
	migrate.RestoreOptions
	pace
	watchFlags
	from    string
	confirm string
	dryRun  bool
}

func newRestore(a *app) *cobra.Command {
	var o restoreOptions
	cmd := described("restore", func(cmd *cobra.Command, args []string) error { return a.restore(cmd, &o, args) })
	flags := cmd.Flags()
	addAll(&o.Options, flags, "every user with a file under --from")
	addUsersFile(&o.Options, flags)
	addParts(&o.Options, flags)
	o.pace.add(flags)
	o.watchFlags.add(flags, true)
	flags.StringVar(&o.from, "from", "", "the `file`, the folder, or r2:KEY or r2:PREFIX/ in the same bucket")
	flags.BoolVar(&o.StayInR2, "stay-in-r2", false, "do not migrate users again who were in a Durable Object")
	flags.BoolVar(&o.dryRun, "dry-run", false, "check the files, say what would be replaced, and change nothing")
	flags.StringVar(&o.confirm, "confirm", "", confirmUsage+orYes)
	return cmd
}

func (a *app) restore(cmd *cobra.Command, o *restoreOptions, args []string) error {
	ctx := cmd.Context()
	o.Talk, o.WithoutFlags = a.out, true
	set, err := o.Parse(args, a.stdin)
	if err != nil {
		return err
	}
	watch, err := a.watch(&o.watchFlags)
	if err != nil {
		return err
	}
	from, err := backup.Find(ctx, o.from, set.Named, a.source(cmd).Bucket)
	if err != nil {
		return err
	}
	if set.Wide {
		args = nil
		for _, u := range from.Users {
			args = append(args, string(u))
		}
	}
	n := connect.Need{Concurrency: o.concurrency, Why: connect.FillsObjects}
	c, err := a.source(cmd).Choose(ctx, &o.Options, args, a.stdin, n)
	if err != nil {
		return err
	}
	if !o.StayInR2 {
		err := c.Mounted.WaitsForNobody("restore", "pass --stay-in-r2, and move the users by dbmigrate migrate, which waits")
		if err != nil {
			return err
		}
	}
	if err := restore.Placed(c); err != nil {
		return err
	}
	if err := c.MayMove(c.Users, !o.dryRun, a.out.Warn); err != nil {
		return err
	}
	if o.dryRun {
		return a.planRestore(cmd, c, from)
	}
	if err := restore.Confirm(ctx, c, o.confirm, a.prompt(), a.out.Warn); err != nil {
		return err
	}
	job := fleet.Job{Action: result.ActionRestore, Do: from.Job(c.Engine, o.RestoreOptions)}
	return summed(a.runner(c.Connection, &o.pace, watch).Run(ctx, fleet.All(c.Users), job))
}

func (a *app) planRestore(cmd *cobra.Command, c *connect.Chosen, from *backup.Sources) error {
	lines, err := restore.Plan(cmd.Context(), c, from)
	if err != nil {
		return err
	}
	totals, err := restore.Print(a.out, lines)
	if err == nil && totals.Failed > 0 {
		return ended(exitFailed)
	}
	return err
}
