package fleet

import (
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/quarantine"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Guard passes over users in quarantine, and puts users there.
type Guard struct {
	List  *quarantine.List
	Known quarantine.Known
	// Retry passes nobody over.
	Retry bool
	Run   string
	Warn  func(string, ...any)

	found map[userdb.UserID]inspect.Found
}

// Load takes who is in quarantine. users are those of the run.
func (g *Guard) Load(known func() (quarantine.Known, error), users []inspect.Found) (err error) {
	g.found = make(map[userdb.UserID]inspect.Found, len(users))
	for _, f := range users {
		g.found[f.User] = f
	}
	g.Known, err = known()
	return err
}

// Reason is why a user is passed over; "" for the others.
func (g *Guard) Reason(f inspect.Found) userdb.Kind {
	if g.Retry {
		return ""
	}
	return g.Known.Reason(f.User, f.ETag)
}

// Guard does to users what do does, but to those in quarantine.
func (g *Guard) Guard(
	do func(context.Context, userdb.UserID) result.Result,
) func(context.Context, userdb.UserID) result.Result {
	return func(ctx context.Context, u userdb.UserID) result.Result {
		if reason := g.Reason(g.found[u]); reason != "" {
			return quarantine.Skipped(g.found[u], reason)
		}
		r := do(ctx, u)
		switch {
		case g.List.Holds(r):
			r.Quarantine = userdb.KindOf(r.Err())
			if err := g.List.Add(ctx, r, g.Run, time.Now()); err != nil {
				g.Warn("%s is not put into quarantine and will be tried again: %v", u, err)
			}
		case r.Err() == nil && g.Known[u] != nil:
			if err := g.List.Forget(ctx, u, g.Known); err != nil {
				g.Warn("%s is moved, but stays listed in quarantine: %v", u, err)
			}
		}
		return r
	}
}
