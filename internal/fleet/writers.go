package fleet

import (
	"context"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Follow makes a job heed writers that know no fence: what has to come before the first fence of some users,
// and after each of them.
func (r *Runner) Follow(job Job, p migrate.Procedure) Job {
	r.Engine.Procedure = p
	if p.Settles() {
		job.Then = r.Engine.Settle(p)
		r.Out.Say(
			"each user's writes wait %s behind the fence, for requests of the old path that loaded before it",
			units.FormatDuration(p.LongestRequest),
		)
	}
	if !p.Routes() {
		return job
	}
	do := job.Do
	job.Do = func(ctx context.Context, u userdb.UserID) result.Result { return r.Engine.Unroute(ctx, do(ctx, u)) }
	job.Before = func(ctx context.Context, users []inspect.Found) error { return r.routeAndWait(ctx, p, users) }
	return job
}

// routeAndWait ends early with ctx, which leaves the run to say that nobody was begun.
func (r *Runner) routeAndWait(ctx context.Context, p migrate.Procedure, users []inspect.Found) error {
	routed, err := r.Engine.Route(ctx, users)
	if err != nil {
		return err
	}
	r.Out.Say(
		"%s of %d routed to their Durable Objects, which ask the file meanwhile; waiting %s for requests that have not seen it",
		units.Plural(routed, "user"),
		len(users),
		units.FormatDuration(p.Wait()),
	)
	p.Pause(ctx)
	return nil
}
