package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type thawOptions struct {
	selection.Options
	pace
	watchFlags
	policyFile string
	where      string
	requested  bool
}

func newThaw(a *app) *cobra.Command {
	var o thawOptions
	cmd := described("thaw", func(cmd *cobra.Command, args []string) error { return a.thaw(cmd, &o, args) })
	addWhole(&o.Options, cmd.Flags())
	addParts(&o.Options, cmd.Flags())
	o.pace.add(cmd.Flags())
	o.watchFlags.add(cmd.Flags(), true)
	cmd.Flags().StringVar(&o.policyFile, "policy", "",
		"`file` that says which rows are cold, .toml or .jsonc")
	cmd.Flags().StringVar(&o.where, "where", "",
		"`rows` to bring back: a table of the policy, a colon, and an SQL expression over its columns")
	cmd.Flags().BoolVar(&o.requested, "requested", false,
		"bring back the rows for which the application has asked")
	return cmd
}

func (a *app) thaw(cmd *cobra.Command, o *thawOptions, args []string) error {
	policy, err := o.policy()
	if err != nil {
		return err
	}
	o.Talk, o.OfAll = a.out, mayBeSplit
	watch, err := a.watch(&o.watchFlags)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	n := connect.Need{Concurrency: o.concurrency, Why: connect.FillsObjects, Splits: true}
	c, err := a.source(cmd).Choose(ctx, &o.Options, args, a.stdin, n)
	if err != nil {
		return err
	}
	if err := c.Mounted.WaitsForNobody("thaw", "roll the users back first"); err != nil {
		return err
	}
	if err := preconditions.ProbeFlags(ctx, c.Flags); err != nil {
		return err
	}
	opts := migrate.SplitOptions{Policy: policy, At: time.Now(), Thaw: true, Requested: o.requested}
	job := fleet.Job{
		Action: result.ActionThaw,
		Do:     func(ctx context.Context, u userdb.UserID) result.Result { return c.Split(ctx, u, opts) },
	}
	return summed(a.runner(c.Connection, &o.pace, watch).Run(ctx, fleet.All(c.Users), job))
}

// mayBeSplit says that a user may have cold rows.
func mayBeSplit(f inspect.Found) bool {
	return f.Place == inspect.PlaceSplit || f.Place == inspect.PlaceObject ||
		f.Place == inspect.PlaceUnreadable
}

// policy is the file's, with the rows to thaw as an exception.
func (o *thawOptions) policy() (*split.Policy, error) {
	table, where, ok := strings.Cut(o.where, ":")
	switch {
	case o.policyFile == "":
		return nil, usageError("thaw requires --policy", "", "", "it says which rows stay cold")
	case !o.requested && o.where == "":
		return nil, usageError("thaw requires --where or --requested", "", "", "they say which rows to bring back")
	case !o.requested && !ok:
		return nil, usageError("read --where", "", "there is no colon in it", "write --where 'TABLE: EXPRESSION'")
	}
	policy, err := split.LoadPolicy(o.policyFile)
	if err != nil || o.requested {
		return policy, err
	}
	return policy.Except(strings.TrimSpace(table), strings.TrimSpace(where))
}
