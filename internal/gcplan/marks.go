package gcplan

import (
	"context"
	"slices"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Mark prints the plan and puts it aside.
func Mark(
	ctx context.Context,
	out *terminal.Output,
	e *migrate.Engine,
	plan gc.Plan,
	hold time.Duration,
	watch *fleet.Watch,
	notMigrated int,
) (Totals, error) {
	totals, err := Print(out, plan, notMigrated)
	if err != nil {
		return totals, err
	}
	if len(plan.Free) == 0 {
		out.Say("gc: nothing to mark; keep %d", totals.Keep)
		return totals, nil
	}
	mark, err := e.GarbageCollector().Mark(ctx, plan, hold)
	if err != nil {
		return totals, err
	}
	watch.Leave(
		e,
		fleet.ActMark,
		totals.Free,
		totals.FreeBytes,
		map[string]any{"plan": mark.Plan, "due": dueText(mark)},
	)
	out.Say(
		"gc: marked %s with %s of %s (%s a month); from %s on `dbmigrate gc --free-marked` frees it, `dbmigrate gc --unmark %s` takes it back",
		mark.Plan,
		units.FormatSize(totals.FreeBytes),
		units.Plural(totals.Free, "user"),
		dollarText(totals.FreeDollars),
		dueText(mark),
		mark.Plan,
	)
	return totals, nil
}

func dueText(m gc.Mark) string { return m.Due().UTC().Format(time.RFC3339) }

// Unmark takes a marked plan back.
func Unmark(ctx context.Context, out *terminal.Output, e *migrate.Engine, plan string, watch *fleet.Watch) error {
	err := e.GarbageCollector().Unmark(ctx, plan)
	if userdb.KindOf(err) == userdb.NotFound {
		return userdb.UsageError(
			"unmark",
			plan,
			"no plan of that name is marked",
			"`dbmigrate gc --free-marked` lists those that wait",
		)
	}
	if err == nil {
		watch.Leave(e, fleet.ActUnmark, 0, 0, map[string]any{"plan": plan})
		out.Say("gc: %s is no longer marked; nothing of it is freed", plan)
	}
	return err
}

// dueMarks are the marks past their hold; it tells of those that have to wait.
func dueMarks(ctx context.Context, out *terminal.Output, e *migrate.Engine) ([]gc.Mark, error) {
	marks, err := e.GarbageCollector().Marks(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return slices.DeleteFunc(marks, func(m gc.Mark) bool {
		waits := now.Before(m.Due())
		if waits {
			out.Say("gc: %s with %s waits until %s", m.Plan, units.Plural(len(m.Free), "user"), dueText(m))
		}
		return waits
	}), nil
}

// FreeMarked carries out the marks that are due. A mark without a failed user is done, and goes.
func FreeMarked(
	ctx context.Context,
	out *terminal.Output,
	c *connect.Connection,
	limit *Limit,
	run gc.Run,
	summary *fleet.Summary,
) error {
	marks, err := dueMarks(ctx, out, c.Engine)
	if err != nil {
		return err
	}
	due := c.GarbageCollector().Take(marks, limit.limit())
	if due.LeavesSome() {
		out.Say("gc: --max-delete %s is reached; the rest stays marked", limit.Typed)
	}
	runErr := due.Execute(ctx, run)
	if ctx.Err() != nil || summary.NotBegun > 0 {
		return runErr
	}
	if err := due.End(ctx); err != nil {
		return err
	}
	return runErr
}
