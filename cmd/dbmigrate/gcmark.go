package main

import (
	"context"
	"slices"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// markGC prints the plan and puts it aside.
func (a *app) markGC(
	ctx context.Context,
	e *migrate.Engine,
	plan migrate.GCPlan,
	o *gcOptions,
	notMigrated int,
) error {
	totals, err := a.sheetOfGC(plan, notMigrated)
	if err != nil {
		return err
	}
	if len(plan.Free) == 0 {
		a.out.Say("gc: nothing to mark; keep %d", totals.Keep)
		return nil
	}
	mark, err := e.MarkGC(ctx, plan, o.hold.Duration)
	if err != nil {
		return err
	}
	o.watch.Leave(
		e,
		fleet.ActMark,
		totals.Free,
		totals.FreeBytes,
		map[string]any{"plan": mark.Plan, "due": dueText(mark)},
	)
	a.out.Say(
		"gc: marked %s with %s of %s (%s a month); from %s on `dbmigrate gc --free-marked` frees it, `dbmigrate gc --unmark %s` takes it back",
		mark.Plan,
		units.FormatSize(totals.FreeBytes),
		units.Plural(totals.Free, "user"),
		dollarText(totals.FreeDollars),
		dueText(mark),
		mark.Plan,
	)
	if totals.Failed > 0 {
		return ended(exitFailed)
	}
	return nil
}

func dueText(m migrate.GCMark) string { return m.Due().UTC().Format(time.RFC3339) }

func (a *app) unmarkGC(ctx context.Context, e *migrate.Engine, o *gcOptions) error {
	plan := o.unmark
	err := e.UnmarkGC(ctx, plan)
	if userdb.KindOf(err) == userdb.NotFound {
		return usageError(
			"unmark",
			plan,
			"no plan of that name is marked",
			"`dbmigrate gc --free-marked` lists those that wait",
		)
	}
	if err == nil {
		o.watch.Leave(e, fleet.ActUnmark, 0, 0, map[string]any{"plan": plan})
		a.out.Say("gc: %s is no longer marked; nothing of it is freed", plan)
	}
	return err
}

// dueMarks are the marks past their hold; it tells of those that have to wait.
func (a *app) dueMarks(ctx context.Context, e *migrate.Engine) ([]migrate.GCMark, error) {
	marks, err := e.GCMarks(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return slices.DeleteFunc(marks, func(m migrate.GCMark) bool {
		waits := now.Before(m.Due())
		if waits {
			a.out.Say("gc: %s with %s waits until %s", m.Plan, units.Plural(len(m.Free), "user"), dueText(m))
		}
		return waits
	}), nil
}

// freeMarked carries out the marks that are due. A mark without a failed user is done, and goes.
func (a *app) freeMarked(ctx context.Context, c *connect.Connection, o *gcOptions) error {
	marks, err := a.dueMarks(ctx, c.Engine)
	if err != nil {
		return err
	}
	due := c.GarbageCollector().Take(marks, o.maxDelete.limit())
	if due.LeavesSome() {
		a.out.Say("gc: --max-delete %s is reached; the rest stays marked", o.maxDelete.typed)
	}
	run, summary := a.gcRun(c, o)
	runErr := due.Execute(ctx, run)
	if ctx.Err() != nil || summary.NotBegun > 0 {
		return runErr
	}
	if err := due.End(ctx); err != nil {
		return err
	}
	return runErr
}
