package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/forget"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

type forgetOptions struct {
	migrate.ForgetOptions
	selection   selection.Options
	pace        pace
	historyFile string
	reason      string
	confirm     string
	dryRun      bool
}

func newForget(a *app) *cobra.Command {
	var o forgetOptions
	cmd := described("forget", func(cmd *cobra.Command, args []string) error { return a.forget(cmd, &o, args) })
	flags := cmd.Flags()
	addUsersFile(&o.selection, flags)
	flags.StringVar(&o.ArchivePrefix, "archive-prefix", "",
		"delete what gc archived under this key `prefix`, too")
	flags.StringVar(&o.historyFile, "history", "",
		"take the users out of this history `file` of scans (default: the one under $XDG_STATE_HOME/dbmigrate); the one in the bucket always")
	flags.BoolVar(&o.dryRun, "dry-run", false, "say what would be deleted, and change nothing")
	flags.StringVar(&o.confirm, "confirm", "", confirmUsage)
	flags.StringVar(&o.reason, "reason", "",
		"why, for the audit line: one line of `text`, such as a ticket's number")
	o.pace.add(flags)
	return cmd
}

func (a *app) forget(cmd *cobra.Command, o *forgetOptions, args []string) error {
	if err := gc.CheckArchivePrefix(o.ArchivePrefix); err != nil {
		return err
	}
	watch, err := a.watch(&watchFlags{reason: o.reason})
	if err != nil {
		return err
	}
	set, err := o.selection.Parse(args, a.stdin)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	c, err := a.source(cmd).All(ctx, connect.Need{Concurrency: o.pace.concurrency, Why: connect.LooksAtObjects})
	if err != nil {
		return err
	}
	lines, err := forget.Plan(ctx, c, set.Named, o.ForgetOptions)
	if err != nil {
		return err
	}
	if o.dryRun {
		totals, err := forget.Print(a.out, lines)
		if err != nil {
			return err
		}
		totals.Say(a.out.Say)
		unknown := forget.Unknown(lines)
		if len(unknown) > 0 {
			fleet.WarnUnknown(a.out, "forget", unknown)
		}
		if len(unknown) > 0 && totals.Failed == 0 {
			return ended(exitUsage)
		}
		return planFailed(totals.Failed)
	}
	forget.Sum(lines).Say(a.out.Warn)
	if err := forget.Confirm(ctx, a.prompt(), set.Named, o.confirm); err != nil {
		return err
	}
	runner := a.runner(c, &o.pace, watch)
	runner.Observers = []fleet.Observer{&fleet.Nameless{Watch: watch}}
	past := a.scanHistory(&historyFlags{file: o.historyFile}, c.Engine, c.Config)
	return summed(forget.Run(ctx, runner, lines, o.ForgetOptions, past, a.out.Warn))
}

func planFailed(failed int) error {
	if failed > 0 {
		return ended(exitFailed)
	}
	return nil
}
