package main

import (
	"context"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// rehearseRollback rehearses for everyone who was chosen, and says what the real one would take.
func (a *app) rehearseRollback(ctx context.Context, c *chosen, o *rollbackOptions, watch *fleet.Watch) error {
	var (
		mu      sync.Mutex
		longest time.Duration
		whose   userdb.UserID
	)
	job := fleet.Job{
		Action:      result.ActionRehearse,
		FlagsUnread: c.set.FlagsUnread,
		Do: func(ctx context.Context, u userdb.UserID) result.Result {
			r := c.Rehearse(ctx, u)
			mu.Lock()
			defer mu.Unlock()
			if r.Window > longest {
				longest, whose = r.Window, u
			}
			return r
		},
	}
	summary, err := a.runner(c.Connection, &o.pace, watch).Run(ctx, fleet.All(c.users), job)
	if whose != "" {
		a.out.Say(
			"the real rollback would take about %s; the writes of %s would wait longest, %s; nothing was switched",
			units.FormatDuration(
				time.Duration(summary.TookMs)*time.Millisecond,
			),
			whose,
			units.FormatDuration(longest),
		)
	}
	return summed(summary, err)
}
