package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/result"
)

type wholeOptions struct {
	selection.Options
	pace
	watchFlags
	everybody bool // of a whole bucket, those who never left R2 as well
}

// prepare is for commands about users who left R2. A user left fenced by a cut-off command has no flag, so
// the files are asked, and the flags are not needed.
func (o *wholeOptions) prepare(a *app) {
	o.Marks, o.WithoutFlags, o.Talk = true, true, a.out
	if !o.everybody {
		o.OfAll = selection.LeftItsFile
	}
}

func newVerify(a *app) *cobra.Command {
	var o wholeOptions
	cmd := described("verify", func(cmd *cobra.Command, args []string) error { return a.verify(cmd, &o, args) })
	addWhole(&o.Options, cmd.Flags())
	addParts(&o.Options, cmd.Flags())
	addNarrow(&o.Options, cmd.Flags())
	o.pace.add(cmd.Flags())
	o.watchFlags.add(cmd.Flags(), false)
	return cmd
}

// verify looks at users who left R2 when the bucket is scanned, and at exactly those who are named otherwise.
func (a *app) verify(cmd *cobra.Command, o *wholeOptions, args []string) error {
	watch, err := a.watch(&o.watchFlags)
	if err != nil {
		return err
	}
	c, err := a.choose(cmd, o, args, connect.LooksAtObjects)
	if err != nil {
		return err
	}
	job := fleet.Job{Action: result.ActionVerify, Do: c.Verify, FlagsUnread: c.Set.FlagsUnread}
	return summed(a.runner(c.Connection, &o.pace, watch).Run(cmd.Context(), fleet.All(c.Users), job))
}

// choose finds the users of a command about users who left R2.
func (a *app) choose(
	cmd *cobra.Command,
	o *wholeOptions,
	args []string,
	why connect.Purpose,
) (*connect.Chosen, error) {
	o.prepare(a)
	n := connect.Need{Concurrency: o.concurrency, Why: why}
	return a.source(cmd).Choose(cmd.Context(), &o.Options, args, a.stdin, n)
}
