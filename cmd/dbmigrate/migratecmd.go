package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type migrateOptions struct {
	selection
	pace
	dryRun  bool
	maxCost costCap
}

func newMigrate(a *app) *cobra.Command {
	var o migrateOptions
	cmd := &cobra.Command{
		Use:   "migrate USER... | --over SIZE | --users-file FILE | --all",
		Short: "Move users into their Durable Objects",
		Long: "Move users from their file in R2 into their Durable Object, while they work.\n\n" +
			"Each user is copied, compared table by table on both sides, and switched; writes wait for a moment only. A user who\n" +
			"cannot be moved exactly is refused with the reason and stays in R2; the others go on. The same command again\n" +
			"goes on where it stopped, or finds nothing to do. Ways of choosing users intersect.\n\n" +
			"The first Ctrl-C begins no more users and lets those in flight finish; the second one leaves at once. Both are safe.",
		Example: "  dbmigrate migrate alice bob\n" +
			"  dbmigrate migrate --over 1MB --percent 10 --dry-run\n" +
			"  dbmigrate migrate --all --concurrency 16 --max-failures 20 --output json > results.jsonl",
		Annotations: manual{
			reads:   "the users' files and flags, the state of their Durable Objects",
			changes: "the Durable Objects' content; a fence in the header of each file (its data stays);\nthe KV flags migrated:USER. Nothing with --dry-run",
			undo:    "dbmigrate rollback",
			exits:   []int{exitDone, exitFailed, exitUsage, exitInterrupted},
		}.annotations(),
		RunE: func(cmd *cobra.Command, args []string) error { return a.migrate(cmd, &o, args) },
	}
	o.addWhole(cmd.Flags())
	o.addParts(cmd.Flags())
	o.addNarrow(cmd.Flags())
	o.pace.add(cmd.Flags())
	o.maxCost.add(cmd.Flags())
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print what would be done, and change nothing")
	return cmd
}

func (a *app) migrate(cmd *cobra.Command, o *migrateOptions, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := o.read(args, a.stdin); err != nil {
		return err
	}
	a.shards = o.shard.of
	ctx, environmentSet := cmd.Context(), cmd.Flags().Changed("env")
	e, err := a.connect(ctx, environmentSet, o.concurrency, false)
	if err != nil {
		return err
	}
	users, err := o.resolve(ctx, e, a.out.Say)
	if err != nil {
		return err
	}
	if err := o.maxCost.check(users); err != nil {
		return err
	}
	if o.dryRun {
		return a.printPlan(users)
	}
	if err := probeFlags(ctx, e.Flags); err != nil {
		return err
	}
	run := &fleetRun{app: a, engine: e, action: migrate.ActionMigrate, pace: o.pace,
		do: func(ctx context.Context, u userdb.UserID) migrate.Result { return e.Migrate(ctx, u) }}
	return run.run(ctx, users)
}
