package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/runs"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/status"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type statusOptions struct {
	prefix      string
	all         bool
	run         string
	deep        bool
	concurrency int
	top         int
}

func newStatus(a *app) *cobra.Command {
	var o statusOptions
	cmd := described("status", func(cmd *cobra.Command, args []string) error { return looked(a.status(cmd, &o, args)) })
	cmd.Flags().StringVar(&o.prefix, "prefix", "", "only users with an id that begins with this")
	cmd.Flags().BoolVar(&o.all, "all", false, "ask everybody's file, and both sides of all who left R2")
	cmd.Flags().StringVar(&o.run, "run", "", "the users of the run with this `id`, and where they are now")
	cmd.Flags().BoolVar(&o.deep, "deep", false, "try the merge of split users on copies, and name what stands in the way")
	addConcurrency(&o.concurrency, cmd.Flags(), looksAtOnce, "how many users are asked at once")
	addTop(&o.top, cmd.Flags())
	return cmd
}

func (a *app) status(cmd *cobra.Command, o *statusOptions, args []string) error {
	a.listing()
	named, err := selection.ParseIDs(args)
	if err != nil {
		return err
	}
	source := a.source(cmd)
	c, err := source.All(cmd.Context(), connect.Need{Concurrency: o.concurrency})
	if err != nil {
		return err
	}
	printer := status.NewPrinter(a.out, o.top)
	r, err := a.askStatus(cmd.Context(), source, c, o, named, printer)
	if err == nil && o.deep {
		err = r.Deepen(cmd.Context(), c.Engine)
	}
	if err != nil {
		return err
	}
	complete, err := printer.End(r)
	if err == nil && !complete {
		return ended(exitFailed)
	}
	if err == nil {
		return a.refuseNobody(r, named)
	}
	return err
}

// refuseNobody: a name that nobody has, and a selection of nobody, are no success.
func (a *app) refuseNobody(r *status.Report, named []userdb.UserID) error {
	if unknown := r.Unknown(); len(named) > 0 && len(unknown) > 0 {
		a.out.Warn(
			"status: no such user: %s: no file, and nothing in the Durable Object; check the name and --layout",
			unknown[0],
		)
		return ended(exitUsage)
	}
	if len(r.Lines)+r.Shown == 0 && r.Totals.File == 0 {
		a.out.Warn("status: there is nobody to tell of: check --prefix, --bucket and --layout")
		return ended(exitUsage)
	}
	return nil
}

// askStatus asks in the way that was chosen.
func (a *app) askStatus(
	ctx context.Context,
	source *connect.Source,
	c *connect.Connection,
	o *statusOptions,
	named []userdb.UserID,
	printer *status.Printer,
) (*status.Report, error) {
	switch {
	case o.run != "":
		return a.statusOfRun(ctx, source, c, o.run)
	case o.all:
		return status.OfAll(ctx, c.Engine, o.prefix, func(err error) { selection.WarnUnread(a.out, err) })
	case len(named) > 0:
		return status.OfUsers(ctx, c.Engine, named, nil)
	}
	open, err := a.leftInFlight(ctx, source, c)
	if err != nil {
		return nil, err
	}
	return status.ByFlags(ctx, c.Engine, o.prefix, open, printer.Add)
}

func (a *app) statusOfRun(
	ctx context.Context,
	source *connect.Source,
	c *connect.Connection,
	run string,
) (*status.Report, error) {
	place, err := source.Records(c.Config)
	if err != nil {
		return nil, err
	}
	of, err := runs.UsersOf(ctx, place, run, c.Config.Bucket)
	if err != nil {
		return nil, err
	}
	a.out.Say(
		"run %s: %s of %s by %s, %s; users in the record: %d of %d",
		run,
		of.Run.Action,
		of.Run.Bucket,
		of.Run.Who.Name,
		of.Run.State,
		len(of.IDs),
		of.Run.Begin.Users,
	)
	if text := runs.InFlightText(of.Run); text != "" {
		a.out.Warn("%s: they are asked, too", text)
	}
	return status.OfUsers(ctx, c.Engine, of.IDs, of.Outcomes)
}

// newestRuns is how many runs are looked through for users who were left in flight.
const newestRuns = 20

// leftInFlight says who was in flight in runs without an end. Records that cannot be read are a warning:
// nothing is decided by them.
func (a *app) leftInFlight(
	ctx context.Context,
	source *connect.Source,
	c *connect.Connection,
) (users []userdb.UserID, err error) {
	warn := func(err error) { a.out.Warn("%v", err) }
	place, err := source.Records(c.Config)
	if err != nil {
		return nil, err
	}
	open, err := runs.OpenOf(ctx, place, newestRuns, warn)
	if err != nil && ctx.Err() == nil {
		warn(err)
	}
	for _, o := range open {
		a.out.Warn("%s: they are asked at both sides", runs.InFlightText(o.Run))
		users = append(users, o.Users...)
	}
	return users, ctx.Err()
}
