package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/scan"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// scanArguments: users are named only for a policy.
func scanArguments(o *scanOptions) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if o.policy != "" {
			return nil
		}
		// A flag that can stand alone takes no value after a blank: the share of --deep 5% comes as a user.
		if o.deep.On && o.deep.Share == 0 && len(args) == 1 && strings.HasSuffix(args[0], "%") {
			if err := o.deep.Set(args[0]); err != nil {
				return usageError("--deep "+err.Error(), "", "", "")
			}
			return nil
		}
		return commandline.NoArguments(cmd, args)
	}
}

// defaultOver chooses who should move where nobody was chosen.
func defaultOver(nobody bool) units.SizeFlag {
	if !nobody {
		return units.SizeFlag{}
	}
	return units.SizeFlag{Bytes: scan.RecommendFrom, Given: true}
}

// proposePolicy stands in place of a policy's file, and has one written.
const proposePolicy = "init"

// proposePolicy prints a first policy for the database of one user.
func (a *app) proposePolicy(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError("--policy init requires one user", "", "",
			"name one who is like the others: dbmigrate scan --policy init USER > cold.toml")
	}
	e, _, err := a.source(cmd).Reading(1)
	if err != nil {
		return err
	}
	policy, err := e.Inspect().ProposeSplit(cmd.Context(), userdb.UserID(args[0]), time.Now())
	if err == nil {
		_, err = fmt.Fprint(cmd.OutOrStdout(), policy)
	}
	return err
}

// scanPolicy says for each chosen user what a split would move.
func (a *app) scanPolicy(cmd *cobra.Command, o *scanOptions, args []string) error {
	if o.policy == proposePolicy {
		return a.proposePolicy(cmd, args)
	}
	policy, err := split.LoadPolicy(o.policy)
	if err != nil {
		return err
	}
	if !o.Over.Given {
		o.Over = defaultOver(len(args) == 0 && o.UsersFile == "" && !o.All)
	}
	o.WithoutFlags, o.Talk = true, a.out
	set, err := o.Parse(args, a.stdin)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	e, _, err := a.source(cmd).Reading(set.Shards())
	if err != nil {
		return err
	}
	found, err := set.Resolve(ctx, e.Inspect())
	if err != nil {
		return err
	}
	if err := set.RefuseNobody(len(found)); err != nil {
		return err
	}
	r, err := scan.SurveySplit(
		ctx,
		e.Inspect(),
		found,
		policy,
		time.Now(),
		scan.Options{Concurrency: o.concurrency, Out: a.out},
	)
	if err != nil {
		return err
	}
	if err := r.Print(a.out, o.top); err != nil {
		return err
	}
	if set.FlagsUnread || r.Totals.Failed > 0 {
		return ended(exitFailed)
	}
	return a.refuseUnknown("scan", set.Unknown(found))
}
