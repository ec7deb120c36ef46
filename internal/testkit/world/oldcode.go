package world

import (
	"context"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// OldCode saves a user's file on condition of the version that it loaded, or of its absence, and asks nobody:
// a writer of `--writers conditional`.
type OldCode struct {
	World   *World
	Network Network
}

// Do writes once. Errors: ErrRefused, ErrUnknown, or what the query itself failed with.
func (o *OldCode) Do(ctx context.Context, u userdb.UserID, q Query) error {
	j := &journey{Router: &Router{World: o.World, Network: o.Network}, user: u, q: q}
	file, err := j.get(ctx)
	if err != nil {
		return ErrRefused
	}
	if mark, err := markOf(file); err != nil || mark.Kind == userdb.FenceMark {
		return ErrRefused // SQLite does not write such a file
	}
	at, err := j.write(ctx, file)
	if err == nil && at != answered {
		return ErrRefused // somebody else was faster
	}
	return err
}
