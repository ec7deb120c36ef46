package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type wholeOptions struct {
	selection
	pace
	watchFlags
}

// everyone is for commands that do not go in waves. A user whom a cut-off command left fenced has no flag, so the files are asked.
func (o *wholeOptions) everyone() { o.percent, o.marks = 100, true }

func newVerify(a *app) *cobra.Command {
	var o wholeOptions
	o.everyone()
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
	o.addWhole(cmd.Flags())
	o.addParts(cmd.Flags())
	o.addNarrow(cmd.Flags())
	o.pace.add(cmd.Flags())
	o.watchFlags.add(cmd.Flags(), false)
	return cmd
}

// whole runs an action over users who are migrated, or half-way, when the bucket is scanned, and over exactly those who are named otherwise.
func (a *app) whole(cmd *cobra.Command, o *wholeOptions, args []string, action migrate.Action, with func(*migrate.Engine) func(context.Context, userdb.UserID) migrate.Result) error {
	if err := a.watchRuns(&o.watchFlags); err != nil {
		return err
	}
	o.withoutFlags(a)
	e, users, err := a.prepareWhole(cmd, o, args, false)
	if err != nil {
		return err
	}
	run := &fleetRun{app: a, engine: e, action: action, pace: o.pace, flagsUnread: o.flagsUnread, do: with(e)}
	return run.run(cmd.Context(), users)
}

func (a *app) prepareWhole(cmd *cobra.Command, o *wholeOptions, args []string, mayBeUnreachable bool) (*migrate.Engine, []migrate.Found, error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	if err := o.read(args, a.stdin); err != nil {
		return nil, nil, err
	}
	a.shards = o.shard.of
	e, err := a.connect(cmd.Context(), cmd.Flags().Changed("env"), o.concurrency, orWithout(mayBeUnreachable))
	if err != nil {
		return nil, nil, err
	}
	users, err := o.resolve(cmd.Context(), e, a.out.Say)
	if err != nil {
		return nil, nil, err
	}
	if o.wide {
		users = notOnlyInR2(users)
	}
	return e, users, nil
}

// notOnlyInR2 keeps users of whom the bucket or the flags say that they left R2.
func notOnlyInR2(found []migrate.Found) []migrate.Found { return kept(found, leftItsFile) }

func leftItsFile(f migrate.Found) bool {
	return f.Flagged || f.Place == migrate.PlaceStore || f.Place == migrate.PlaceSplit || f.Place == migrate.PlaceMissing || f.Place == migrate.PlaceUnreadable
}
