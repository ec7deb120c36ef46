package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/rollback"
	"github.com/dbmigrate/dbmigrate/internal/runpage"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type rollbackOptions struct {
	wholeOptions
	migrate.RollbackOptions
	reportFlag
	confirm         string
	dryRun          bool
	rehearse        bool
	endForeignMarks bool
	show            int
}

func newRollback(a *app) *cobra.Command {
	var o rollbackOptions
	cmd := described("rollback", func(cmd *cobra.Command, args []string) error { return a.rollback(cmd, &o, args) })
	o.addFlags(cmd.Flags())
	return cmd
}

// addFlags are the flags of rollback.
func (o *rollbackOptions) addFlags(flags *pflag.FlagSet) {
	addWhole(&o.Options, flags)
	addParts(&o.Options, flags)
	addTimes(&o.Options, flags)
	o.pace.add(flags)
	o.watchFlags.add(flags, true)
	o.reportFlag.add(flags)
	flags.BoolVar(&o.dryRun, "dry-run", false,
		"say what would go back and what was written since, and change nothing")
	commandline.Int(flags, &o.show, "show", 0, 0, rollback.MaxShown,
		"with --dry-run: show up to so many `rows` of each user that were written since, to see what --discard-writes would lose")
	flags.BoolVar(&o.rehearse, "rehearse", false,
		"do everything but the switch on a copy, and say how long it takes")
	o.addLosing(flags)
}

// addLosing are the flags with which something may be lost.
func (o *rollbackOptions) addLosing(flags *pflag.FlagSet) {
	flags.BoolVar(&o.DiscardWrites, "discard-writes", false,
		"put the kept file back, without what was written since the migration")
	flags.BoolVar(&o.WithoutCopy, "without-copy", false,
		"with --discard-writes: do not save what is left behind, for Durable Objects that cannot be exported")
	flags.BoolVar(&o.StoreUnreachable, "store-unreachable", false,
		"with --discard-writes: go on where a Durable Object does not answer; first switch the router to path \"r2\"")
	flags.StringVar((*string)(&o.Prefer), "prefer", "",
		"of a split user, where both halves have a row under one key: keep that of this half (`hot|cold`), and save the other row in a file in R2")
	flags.BoolVar(&o.endForeignMarks, "end-foreign-marks", false,
		"only end marks that no claim of the user's Durable Object wrote (a copied bucket, a lost object): the file serves as it is")
	flags.StringVar(&o.confirm, "confirm", "", confirmUsage)
}

func (a *app) rollback(cmd *cobra.Command, o *rollbackOptions, args []string) error {
	if o.Prefer != "" && o.Prefer != split.PreferHot && o.Prefer != split.PreferCold {
		return usageError(fmt.Sprintf("--prefer must be hot or cold, not %q", o.Prefer), "", "", "")
	}
	if err := runpage.CheckReport(o.reportFlag.file); err != nil {
		return err
	}
	watch, err := a.watch(&o.watchFlags)
	if err != nil {
		return err
	}
	c, err := a.chooseBack(cmd, o, args)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	switch {
	case o.dryRun:
		return a.previewRollback(ctx, c, o)
	case o.rehearse:
		s, err := rollback.Rehearse(ctx, c, a.runner(c.Connection, &o.pace, watch), o.Prefer, a.out.Say)
		return a.summed(cmd, c.Connection, &o.reportFlag, s, err)
	}
	if err := flagsCanGo(ctx, c.Connection, o); err != nil {
		return err
	}
	if o.DiscardWrites && len(c.Users) > 0 {
		if err := rollback.ConfirmDiscard(ctx, c, o.RollbackOptions, o.confirm, a.prompt(), a.out.Warn); err != nil {
			return err
		}
	}
	job := fleet.Job{Action: result.ActionRollback, FlagsUnread: c.Set.FlagsUnread,
		Do: func(ctx context.Context, u userdb.UserID) result.Result { return c.Rollback(ctx, u, o.RollbackOptions) }}
	if o.endForeignMarks {
		shown, err := rollback.ConfirmForeign(ctx, c, o.confirm, a.prompt(), a.out.Warn)
		if err != nil {
			return err
		}
		job.Do = func(ctx context.Context, u userdb.UserID) result.Result { return shown.End(ctx, c, u) }
	}
	s, err := a.runner(c.Connection, &o.pace, watch).Run(ctx, fleet.All(c.Users), job)
	return a.summed(cmd, c.Connection, &o.reportFlag, s, err)
}

// previewRollback shows what would go back.
func (a *app) previewRollback(ctx context.Context, c *connect.Chosen, o *rollbackOptions) error {
	opts := inspect.PreviewOptions{Discard: o.DiscardWrites, Show: o.show}
	lines, err := rollback.Preview(ctx, c, opts, o.Prefer)
	if err != nil {
		return err
	}
	totals, err := rollback.PrintPreview(a.out, lines, c.Set.FlagsUnread)
	if err != nil {
		return err
	}
	unknown := rollback.Unknown(lines)
	if totals.Failed > len(unknown) || totals.FlagsUnread {
		return ended(exitFailed)
	}
	return a.refuseUnknown("rollback", unknown)
}

// flagsCanGo asks for the flags before users go back beside an old path: a flag that stays sends their writes
// to a router that saves no file, and they could write before.
func flagsCanGo(ctx context.Context, c *connect.Connection, o *rollbackOptions) error {
	if !c.Mounted.OldPath || o.StoreUnreachable {
		return nil
	}
	if err := preconditions.ProbeFlags(ctx, c.Flags); err != nil {
		return fmt.Errorf(
			"nobody was begun: beside an old path (savesFiles: false) a flag that stays keeps a user's writes away from the file; roll back when the API answers, or mount the Worker without savesFiles: false first: %w",
			err,
		)
	}
	return nil
}

// chooseBack finds the users, the most recently migrated first unless they were named.
func (a *app) chooseBack(cmd *cobra.Command, o *rollbackOptions, args []string) (*connect.Chosen, error) {
	o.Records = func() (*record.Place, error) {
		c, err := a.source(cmd).Config()
		if err != nil {
			return nil, err
		}
		return a.source(cmd).Records(c)
	}
	o.everybody = o.endForeignMarks // a copy may have lost the metadata by which a scan sees marks
	c, err := a.choose(cmd, &o.wholeOptions, args, connect.OrWithout(o.StoreUnreachable))
	if err == nil && c.Set.Wide {
		inspect.SortLatestFirst(c.Users)
	}
	return c, err
}
