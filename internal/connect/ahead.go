package connect

import (
	"context"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/quarantine"
)

// Ahead is what a migrate asks for while the Worker answers: a command would otherwise wait for half a dozen
// round trips before its first user. None of it changes anything.
type Ahead struct {
	// Users are those of the set, and Known those in quarantine.
	Users func() ([]inspect.Found, error)
	Known func() (quarantine.Known, error)
	// Flags says that flags cannot be written, or belong elsewhere; nil where nothing is to be changed.
	Flags func() (struct{}, error)
}

// Begin is for Need.Meanwhile. changes says that flags will be written.
func (a *Ahead) Begin(
	ctx context.Context,
	e *migrate.Engine,
	c config.Config,
	set *selection.Set,
	prefix string,
	changes bool,
	warn func(string, ...any),
) {
	a.Users = parallel.Ahead(func() ([]inspect.Found, error) { return set.Resolve(ctx, e.Inspect()) })
	a.Known = parallel.Ahead(func() (quarantine.Known, error) { return e.Quarantine.Load(ctx, prefix) })
	if !changes {
		return
	}
	probe := parallel.Ahead(func() (struct{}, error) { return struct{}{}, preconditions.ProbeFlags(ctx, e.Flags) })
	other := parallel.Ahead(func() (struct{}, error) {
		return struct{}{}, preconditions.RefuseOtherFlags(ctx, e, c, warn)
	})
	a.Flags = func() (struct{}, error) {
		if none, err := probe(); err != nil {
			return none, err
		}
		return other()
	}
}
