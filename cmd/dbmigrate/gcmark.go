package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// markGC prints the plan and puts it aside.
func (a *app) markGC(ctx context.Context, e *migrate.Engine, plan migrate.GCPlan, o *gcOptions, notMigrated int) error {
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
	a.leaveAct(e, actMark, totals.Free, totals.FreeBytes, map[string]any{"plan": mark.Plan, "due": dueText(mark)})
	a.out.Say("gc: marked %s with %s of %s (%s a month); from %s on `dbmigrate gc --free-marked` frees it, `dbmigrate gc --unmark %s` takes it back",
		mark.Plan, units.FormatSize(totals.FreeBytes), units.Plural(totals.Free, "user"), dollarText(totals.FreeDollars), dueText(mark), mark.Plan)
	if totals.Failed > 0 {
		return ended(exitFailed)
	}
	return nil
}

func dueText(m migrate.GCMark) string { return m.Due().UTC().Format(time.RFC3339) }

func (a *app) unmarkGC(ctx context.Context, e *migrate.Engine, plan string) error {
	err := e.UnmarkGC(ctx, plan)
	if userdb.KindOf(err) == userdb.NotFound {
		return usageError("unmark", plan, "no plan of that name is marked", "`dbmigrate gc --free-marked` lists those that wait")
	}
	if err == nil {
		a.leaveAct(e, actUnmark, 0, 0, map[string]any{"plan": plan})
		a.out.Say("gc: %s is no longer marked; nothing of it is freed", plan)
	}
	return err
}

// dueMarks are the marks whose hold has passed; it tells of those that have to wait.
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

// freeMarked carries out the marks that are due. A user who went back since, or moved anew, is kept, and that is no failure. A mark of whom
// nobody failed is done, and goes.
func (a *app) freeMarked(ctx context.Context, e *migrate.Engine, o *gcOptions) error {
	due, err := a.dueMarks(ctx, e)
	if err != nil {
		return err
	}
	m := marked{Engine: e, items: map[userdb.UserID]markedItem{}, left: map[string]bool{}}
	users := m.take(due, &o.maxDelete)
	if m.flags, err = e.Flags.Get(ctx, users.ids); err != nil {
		return err
	}
	if len(m.left) > 0 {
		a.out.Say("gc: --max-delete %s is reached; the rest stays marked", o.maxDelete.typed)
	}
	run := &fleetRun{app: a, engine: e, action: migrate.ActionGC, pace: o.pace, do: m.free}
	runErr := run.run(ctx, users.found)
	if ctx.Err() != nil || run.account.NotBegun > 0 {
		return runErr
	}
	for _, mark := range due {
		if m.left[mark.Plan] {
			continue
		}
		if err := e.UnmarkGC(ctx, mark.Plan); err != nil && userdb.KindOf(err) != userdb.NotFound {
			return fmt.Errorf("end the mark %s: %w", mark.Plan, err)
		}
	}
	return runErr
}

// marked is what --free-marked works on.
type marked struct {
	*migrate.Engine
	items map[userdb.UserID]markedItem
	flags map[userdb.UserID]userdb.Flag

	mu   sync.Mutex
	left map[string]bool // marks of which something is left to do
}

type markedItem struct {
	migrate.GCItem
	plan string
	opts migrate.GCOptions
}

type markedUsers struct {
	ids   []userdb.UserID
	found []migrate.Found
}

// take gathers what the limit allows. A user in two marks is freed by the older one.
func (m *marked) take(due []migrate.GCMark, limit *limitValue) (users markedUsers) {
	var bytes int64
	for _, mark := range due {
		for _, item := range mark.Free {
			if _, twice := m.items[item.User]; twice {
				m.left[mark.Plan] = true // it may be another version: the next run looks at it
				continue
			}
			if !limit.has(len(users.ids)+1, bytes+item.Bytes) {
				m.left[mark.Plan] = true
				continue
			}
			bytes += item.Bytes
			m.items[item.User] = markedItem{item, mark.Plan, mark.AsPlan().Options}
			users.ids = append(users.ids, item.User)
			users.found = append(users.found, migrate.Found{User: item.User, Key: item.Key, Bytes: item.Bytes})
		}
	}
	return users
}

func (m *marked) free(ctx context.Context, u userdb.UserID) migrate.Result {
	item := m.items[u]
	flag, flagged := m.flags[u]
	r := m.GCMarked(ctx, item.GCItem, flag.Meta, flagged, item.opts)
	if r.Err() != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.left[item.plan] = true
	}
	return r
}
