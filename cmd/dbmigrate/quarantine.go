package main

import (
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// guarded is a migrate that passes over users in quarantine, and puts users there.
type guarded struct {
	*app
	engine     *migrate.Engine
	quarantine *migrate.Quarantine
	known      migrate.Quarantined
	found      map[userdb.UserID]migrate.Found
	retry      bool // --retry-quarantined
	move       func(context.Context, userdb.UserID) migrate.Result
}

func (a *app) guard(ctx context.Context, e *migrate.Engine, o *migrateOptions, users []migrate.Found) (*guarded, error) {
	g := &guarded{app: a, engine: e, quarantine: e.Quarantine, found: make(map[userdb.UserID]migrate.Found, len(users)), retry: o.retryQuarantined, move: o.mode.move(e)}
	for _, f := range users {
		g.found[f.User] = f
	}
	var err error
	g.known, err = g.quarantine.Load(ctx, o.Prefix)
	return g, err
}

// reason is why a user is passed over; "" for the others.
func (g *guarded) reason(f migrate.Found) userdb.Kind {
	if g.retry {
		return ""
	}
	return g.known.Reason(f.User, f.ETag)
}

func (g *guarded) migrate(ctx context.Context, u userdb.UserID) migrate.Result {
	if reason := g.reason(g.found[u]); reason != "" {
		return migrate.Skipped(g.found[u], reason)
	}
	r := g.move(ctx, u)
	switch {
	case g.quarantine.Holds(r):
		r.Quarantine = userdb.KindOf(r.Err())
		if err := g.quarantine.Add(ctx, r, g.engine.Run, time.Now()); err != nil {
			g.out.Warn("%s is not put into quarantine and will be tried again: %v", u, err)
		}
	case r.Err() == nil && g.known[u] != nil:
		if err := g.quarantine.Forget(ctx, u, g.known); err != nil {
			g.out.Warn("%s is moved, but stays listed in quarantine: %v", u, err)
		}
	}
	return r
}
