package main

import (
	"context"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// rehearseRollback rehearses for everyone who was chosen, and says what the real one would take.
func (a *app) rehearseRollback(ctx context.Context, c chosen, o *rollbackOptions) error {
	var (
		mu      sync.Mutex
		longest time.Duration
		whose   userdb.UserID
	)
	run := &fleetRun{app: a, engine: c.engine, action: migrate.ActionRehearse, pace: o.pace, flagsUnread: c.set.FlagsUnread,
		do: func(ctx context.Context, u userdb.UserID) migrate.Result {
			r := c.engine.Rehearse(ctx, u)
			mu.Lock()
			defer mu.Unlock()
			if r.Window > longest {
				longest, whose = r.Window, u
			}
			return r
		}}
	err := run.run(ctx, c.users)
	if whose != "" {
		a.out.Say("the real rollback would take about %s; the writes of %s would wait longest, %s; nothing was switched",
			units.FormatDuration(time.Duration(run.account.TookMs)*time.Millisecond), whose, units.FormatDuration(longest))
	}
	return err
}
