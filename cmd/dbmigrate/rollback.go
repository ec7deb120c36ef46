package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type rollbackOptions struct {
	wholeOptions
	migrate.RollbackOptions
	confirm string
}

func newRollback(a *app) *cobra.Command {
	var o rollbackOptions
	o.everyone()
	cmd := &cobra.Command{
		Use:   "rollback USER... | --users-file FILE | --all",
		Short: "Take users back to their files in R2, with everything that they wrote",
		Long: "Take users back to their files in R2. What was written since the migration is exported, built into the file, checked and\n" +
			"kept; where nothing was written, the file comes back as it was. Unfinished migrations are taken back, too.\n\n" +
			"--discard-writes puts the kept file back at once and leaves behind what was written since. It first says what that is\n" +
			"and goes on only after the exact words that it prints were typed at a terminal or given with --confirm.",
		Example: "  dbmigrate rollback alice\n" +
			"  dbmigrate rollback --all\n" +
			"  dbmigrate rollback alice --discard-writes --confirm \"discard the writes of alice\"",
		Annotations: manual{
			reads:   "the Durable Objects, the files",
			changes: "the users' files; the Durable Objects are sealed, then emptied; the KV flags are deleted",
			undo:    "dbmigrate migrate; nothing brings back what --discard-writes left behind",
			exits:   []int{exitDone, exitFailed, exitUsage, exitInterrupted},
		}.annotations(),
		RunE: func(cmd *cobra.Command, args []string) error { return a.rollback(cmd, &o, args) },
	}
	o.addWhole(cmd.Flags())
	o.pace.add(cmd.Flags())
	cmd.Flags().BoolVar(&o.DiscardWrites, "discard-writes", false, "put the kept file back and lose what was written since the migration")
	cmd.Flags().BoolVar(&o.StoreUnreachable, "store-unreachable", false,
		"with --discard-writes: go on where a Durable Object does not answer; first switch the router to path \"r2\"")
	cmd.Flags().StringVar(&o.confirm, "confirm", "", "the `words` that --discard-writes asks for")
	return cmd
}

func (a *app) rollback(cmd *cobra.Command, o *rollbackOptions, args []string) error {
	switch {
	case o.StoreUnreachable && !o.DiscardWrites:
		return usageError("read flags", "", "--store-unreachable leaves writes behind, so it needs --discard-writes", "")
	case o.confirm != "" && !o.DiscardWrites:
		return usageError("read flags", "", "--confirm is for --discard-writes", "leave it out: nothing is lost without --discard-writes")
	}
	e, users, err := a.prepareRollback(cmd, o, args)
	if err != nil {
		return err
	}
	if o.DiscardWrites && len(users) > 0 {
		if err := a.confirmDiscard(cmd.Context(), e, users, o); err != nil {
			return err
		}
	}
	run := &fleetRun{app: a, engine: e, action: migrate.ActionRollback, maxFailures: o.maxFailures,
		do: func(ctx context.Context, u userdb.UserID) migrate.Result {
			return e.Rollback(ctx, u, o.RollbackOptions)
		}}
	return run.run(cmd.Context(), users)
}

func (a *app) prepareRollback(cmd *cobra.Command, o *rollbackOptions, args []string) (*migrate.Engine, []migrate.Found, error) {
	e, users, err := a.prepareWhole(cmd, &o.wholeOptions, args, o.StoreUnreachable)
	if err != nil {
		return nil, nil, err
	}
	return e, users, probeFlags(cmd.Context(), e.Flags)
}

// discardWords are what has to be typed: they say what is lost, and whose, so that no shell history repeats them for another.
func discardWords(users []migrate.Found) string {
	if len(users) == 1 {
		return fmt.Sprintf("discard the writes of %s", users[0].User)
	}
	return fmt.Sprintf("discard the writes of %d users", len(users))
}

// confirmDiscard says what would be left behind and asks for it in words.
func (a *app) confirmDiscard(ctx context.Context, e *migrate.Engine, users []migrate.Found, o *rollbackOptions) error {
	if err := a.sayLeftBehind(ctx, e, users, o.StoreUnreachable); err != nil {
		return err
	}
	words := discardWords(users)
	given := o.confirm
	if given == "" && isTerminal(a.stdin) && isTerminal(a.stderr) {
		var err error
		if given, err = a.ask(ctx, fmt.Sprintf("Type %q to go on: ", words)); err != nil {
			return err
		}
	}
	if given != words {
		return usageError("discard writes", "", "not confirmed: nothing was changed", fmt.Sprintf("to go on, say --confirm %q", words))
	}
	return nil
}
