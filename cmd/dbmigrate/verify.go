package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type wholeOptions struct {
	selection.Options
	pace
	watchFlags
	everybody bool // of a whole bucket, those who never left R2 as well
}

// prepare is for commands about users who left R2. A user whom a cut-off command left fenced has no flag, so the files
// are asked, and the flags are not needed.
func (o *wholeOptions) prepare(a *app) {
	o.Marks, o.WithoutFlags, o.Talk = true, true, a.out
	if !o.everybody {
		o.OfAll = selection.LeftItsFile
	}
}

func newVerify(a *app) *cobra.Command {
	var o wholeOptions
	cmd := &cobra.Command{
		Use:   "verify USER... | --users-file FILE | --all",
		Short: "Compare both sides of migrated users, table by table",
		Long: "Compare what a migrated user's Durable Object holds with what was imported, and the kept file with both: counts and\n" +
			"digests of every table. A user who has written since the migration is no difference: the tables that changed are named.",
		Example: "  dbmigrate verify alice\n" +
			"  dbmigrate verify --all\n" +
			"  dbmigrate verify --all --output json | jq -r 'select(.outcome==\"different\").user'",
		Annotations: manual{
			reads:   "the kept files, the receipts, every row in the Durable Objects",
			changes: "nothing",
			exits:   []int{exitDone, exitFailed, exitUsage, exitDifferent, exitInterrupted},
		}.annotations(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.whole(cmd, &o, args, migrate.ActionVerify, func(e *migrate.Engine) func(context.Context, userdb.UserID) migrate.Result {
				return func(ctx context.Context, u userdb.UserID) migrate.Result { return e.Verify(ctx, u) }
			})
		},
	}
	addWhole(&o.Options, cmd.Flags())
	addParts(&o.Options, cmd.Flags())
	addNarrow(&o.Options, cmd.Flags())
	o.pace.add(cmd.Flags())
	o.watchFlags.add(cmd.Flags(), false)
	return cmd
}

// whole runs an action over users who are migrated, or half-way, when the bucket is scanned, and over exactly those who are named otherwise.
func (a *app) whole(cmd *cobra.Command, o *wholeOptions, args []string, action migrate.Action, with func(*migrate.Engine) func(context.Context, userdb.UserID) migrate.Result) error {
	if err := a.watchRuns(&o.watchFlags); err != nil {
		return err
	}
	chosen, err := a.choose(cmd, o, args, looksAtObjects)
	if err != nil {
		return err
	}
	run := &fleetRun{app: a, engine: chosen.engine, action: action, pace: o.pace, flagsUnread: chosen.set.FlagsUnread, do: with(chosen.engine)}
	return run.run(cmd.Context(), chosen.users)
}

// chosen are the users of a command, and the engine that found them.
type chosen struct {
	engine *migrate.Engine
	set    *selection.Set
	users  []migrate.Found
}

// choose finds the users of a command about users who left R2.
func (a *app) choose(cmd *cobra.Command, o *wholeOptions, args []string, why purpose) (chosen, error) {
	o.prepare(a)
	if err := o.check(); err != nil {
		return chosen{}, err
	}
	set, err := o.Parse(args, a.stdin)
	if err != nil {
		return chosen{}, err
	}
	a.shards = set.Shards()
	e, err := a.connect(cmd.Context(), cmd.Flags().Changed("env"), o.concurrency, why)
	if err != nil {
		return chosen{}, err
	}
	users, err := set.Resolve(cmd.Context(), e)
	return chosen{e, set, users}, err
}
