package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/status"
)

type statusOptions struct {
	prefix      string
	all         bool
	run         string
	tryMerge    bool
	concurrency int
	top         int
}

func newStatus(a *app) *cobra.Command {
	var o statusOptions
	cmd := described("status", func(cmd *cobra.Command, args []string) error { return looked(a.status(cmd, &o, args)) })
	cmd.Flags().StringVar(&o.prefix, "prefix", "", "only users with an id that begins with this `text`")
	cmd.Flags().BoolVar(&o.all, "all", false, "ask everybody's file, and both sides of all who left R2")
	cmd.Flags().StringVar(&o.run, "run", "", "the users of the run with this `id`, and where they are now")
	cmd.Flags().BoolVar(&o.tryMerge, "try-merge", false, "try the merge of split users on copies, and name what stands in the way")
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
	asked := status.Question{Named: named, All: o.all, Run: o.run, Prefix: o.prefix}
	r, err := asked.Ask(cmd.Context(), source, c, printer)
	if err == nil && o.tryMerge {
		err = r.TryMerge(cmd.Context(), c.Engine)
	}
	if err != nil {
		return err
	}
	complete, err := printer.End(r)
	switch {
	case err != nil:
		return err
	case !complete:
		return ended(exitFailed)
	case asked.FoundNobody(r, a.out):
		return ended(exitUsage)
	}
	return nil
}
