package main

import (
	"cmp"
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/gcplan"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// keepFor is the age from which gc frees files, unless --older-than says otherwise.
	keepFor = 30 * units.Day
	// holdFor is how long a marked plan waits, unless --hold says otherwise.
	holdFor = 7 * units.Day
)

type gcOptions struct {
	watchFlags
	selection.Options
	pace
	olderThan     units.AgeFlag
	confirm       string
	archivePrefix string
	maxDelete     gcplan.Limit

	mark, freeMarked bool
	hold             units.AgeFlag
	unmark           string
	explain          bool

	watch *fleet.Watch
}

func newGC(a *app) *cobra.Command {
	var o gcOptions
	o.olderThan = units.AgeFlag{Duration: keepFor, Typed: units.FormatDuration(keepFor)}
	o.hold = units.AgeFlag{Duration: holdFor, Typed: units.FormatDuration(holdFor)}
	cmd := described("gc", func(cmd *cobra.Command, args []string) error { return a.gc(cmd, &o, args) })
	o.addFlags(cmd.Flags())
	return cmd
}

// addFlags are the flags of gc.
func (o *gcOptions) addFlags(flags *pflag.FlagSet) {
	addListed(&o.Options, flags)
	addParts(&o.Options, flags)
	flags.Var(&o.olderThan, "older-than", "keep the files of younger migrations; w, d, h, m, s")
	flags.StringVar(&o.confirm, "confirm", "", confirmUsage)
	flags.BoolVar(&o.mark, "mark", false, "put the plan aside, to be freed after a hold")
	flags.Var(&o.hold, "hold", "with --mark: how long the plan waits; w, d, h, m, s")
	flags.BoolVar(&o.freeMarked, "free-marked", false, "free what was marked and has waited long enough")
	flags.StringVar(&o.unmark, "unmark", "",
		"take the marked plan of this `name` back: nothing else stops gc --free-marked from freeing it")
	flags.Var(&o.maxDelete, "max-delete",
		"free no more than so many files (500) or bytes (20GB), the longest migrated first")
	flags.StringVar(&o.archivePrefix, "archive-prefix", "",
		"first put each file, as it was, under this `prefix` of the bucket, such as archive/")
	flags.BoolVar(&o.explain, "explain", false,
		"go through each proof for the users named, and change nothing")
	o.watchFlags.add(flags, true)
	o.pace.add(flags)
}

func (a *app) gc(cmd *cobra.Command, o *gcOptions, args []string) error {
	if err := cmp.Or(gc.CheckArchivePrefix(o.archivePrefix), o.refuseYes(a.global.yes)); err != nil {
		return err
	}
	o.OrAll, o.Marks, o.Flags, o.Talk = true, true, true, a.out
	set, err := o.Parse(args, a.stdin)
	if err != nil {
		return err
	}
	if o.watch, err = a.watch(&o.watchFlags); err != nil {
		return err
	}
	ctx := cmd.Context()
	source := a.source(cmd)
	if source.Getenv, err = connect.KeysOfGC(a.getenv); err != nil {
		return err
	}
	n := connect.Need{Concurrency: o.concurrency, Why: connect.OrWithout(o.explain), Shards: set.Shards()}
	c, err := source.All(ctx, n)
	if err != nil {
		return err
	}
	switch {
	case o.unmark != "":
		return gcplan.Unmark(ctx, a.out, c.Engine, o.unmark, o.watch)
	case o.freeMarked:
		run, summary := a.gcRun(c, o)
		return gcplan.FreeMarked(ctx, a.out, c, &o.maxDelete, run, summary)
	case o.explain:
		if err := gcplan.Explain(ctx, a.out, c.Engine, set.Named, o.options()); err != nil {
			return err
		}
		found, err := c.Inspect().LookUp(ctx, set.Named)
		if err != nil {
			return err
		}
		return a.refuseUnknown("gc", selection.UnknownOf(found))
	}
	return a.gcByPlan(ctx, c, set, o)
}

// refuseYes: a script that says yes to a plan means that it is carried out, and files do not come back.
func (o *gcOptions) refuseYes(yes bool) error {
	if yes && o.confirm == "" && !o.mark && !o.freeMarked && o.unmark == "" && !o.explain {
		return usageError("gc", "", "--yes frees nothing: files that are freed do not come back",
			"leave it out to see the plan; then pass --confirm NAME, or --mark")
	}
	return nil
}

// repeat is what a suggested command has to say again to make the same plan.
func (o *gcOptions) repeat() string {
	parts := []string{"--older-than " + o.olderThan.Typed}
	if o.maxDelete.Typed != "" {
		parts = append(parts, "--max-delete "+o.maxDelete.Typed)
	}
	if o.archivePrefix != "" {
		parts = append(parts, "--archive-prefix "+o.archivePrefix)
	}
	return strings.Join(parts, " ")
}

func (a *app) gcByPlan(ctx context.Context, c *connect.Connection, set *selection.Set, o *gcOptions) error {
	found, err := set.Resolve(ctx, c.Inspect())
	if err != nil {
		return err
	}
	unknown := set.Unknown(found)
	if len(unknown) == 0 {
		if err := set.RefuseNobody(len(found)); err != nil {
			return err
		}
	}
	if err := a.gcFound(ctx, c, o, found); err != nil {
		return err
	}
	return a.refuseUnknown("gc", unknown)
}

// gcFound makes the plan for users, and does with it what was asked for.
func (a *app) gcFound(ctx context.Context, c *connect.Connection, o *gcOptions, found []inspect.Found) error {
	candidates := selection.Kept(found, selection.LeftItsFile)
	collector := c.GarbageCollector()
	plan, err := collector.Plan(ctx, candidates, o.options())
	if err != nil {
		return err
	}
	plan, others := o.maxDelete.Within(plan), len(found)-len(candidates)
	switch {
	case o.mark:
		return planned(gcplan.Mark(ctx, a.out, c.Engine, plan, o.hold.Duration, o.watch, others))
	case o.confirm == "":
		return planned(gcplan.PrintAlone(a.out, plan, others, o.repeat()))
	}
	if err := plan.Confirm(o.confirm); err != nil {
		return err
	}
	run, _ := a.gcRun(c, o)
	return collector.Execute(ctx, plan, run)
}

func (o *gcOptions) options() gc.Options {
	return gc.Options{OlderThan: o.olderThan.Duration, ArchivePrefix: o.archivePrefix}
}

// planned is the outcome of a plan that was shown.
func planned(totals gcplan.Totals, err error) error {
	if err == nil && totals.Failed > 0 {
		return ended(exitFailed)
	}
	return err
}

// gcRun lets a run do what gc asks for; the summary is there once it has ended.
func (a *app) gcRun(c *connect.Connection, o *gcOptions) (gc.Run, *fleet.Summary) {
	summary := new(fleet.Summary)
	return func(ctx context.Context, users []inspect.Found, do func(context.Context, userdb.UserID) result.Result) (err error) {
		*summary, err = a.runner(c, &o.pace, o.watch).
			Run(ctx, fleet.All(users), fleet.Job{Action: result.ActionGC, Do: do})
		return summed(*summary, err)
	}, summary
}
