package rollback

import (
	"context"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Rehearse rehearses for everyone who was chosen, with a preference between halves if there is one, and
// says what the real one would take.
func Rehearse(
	ctx context.Context,
	c *connect.Chosen,
	r *fleet.Runner,
	prefer split.Prefer,
	say func(string, ...any),
) (fleet.Summary, error) {
	var (
		mu      sync.Mutex
		longest time.Duration
		slowest userdb.UserID
	)
	job := fleet.Job{
		Action:      result.ActionRehearse,
		FlagsUnread: c.Set.FlagsUnread,
		Do: func(ctx context.Context, u userdb.UserID) result.Result {
			one := c.RehearsePreferring(ctx, u, prefer)
			mu.Lock()
			defer mu.Unlock()
			if one.Window > longest {
				longest, slowest = one.Window, u
			}
			return one
		},
	}
	summary, err := r.Run(ctx, fleet.All(c.Users), job)
	if slowest != "" {
		say(
			"a real rollback would take about %s; the longest write pause would be %s (%s); nothing was changed",
			units.FormatDuration(
				time.Duration(summary.TookMs)*time.Millisecond,
			),
			units.FormatDuration(longest),
			slowest,
		)
	}
	return summary, err
}
