package migrate

import (
	"context"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// lift takes back a migration that never became active: the same content, stamped. Even a file that carries no fence is touched, so that
// the fence PUT of a dead command that is still under way meets a changed ETag.
func (r *retreat) lift(ctx context.Context) error {
	for range putTries {
		file, err := r.look(ctx, r.user)
		if err != nil {
			return err
		}
		if err := file.superseded("lift the fence of", r.user, r.g); err != nil {
			return err
		}
		r.result.Outcome, r.result.Bytes = OutcomeLifted, file.Size
		if file.tombstone() {
			return tombstoneWithoutStore(r.user, file)
		}
		if file.what != userdb.SQLiteFile {
			return nil // a fence PUT is conditional on a database's ETag: it cannot land here
		}
		if err := r.liftOnce(ctx, file); userdb.KindOf(err) != userdb.Precondition {
			return err
		}
	}
	return lostRaces("lift the fence of", r.user)
}

func (r *retreat) liftOnce(ctx context.Context, seen fileState) error {
	file, err := r.download(ctx, r.user)
	if err != nil {
		return err
	}
	defer file.remove()
	if err := file.superseded("lift the fence of", r.user, r.g); err != nil {
		return err
	}
	return r.putStamped(ctx, file, file.fileState)
}

// liftWithoutStore frees the file when the Durable Object does not answer. There is no claim to stamp with; the fence's own nonce is the
// newest number there is.
func (r *retreat) liftWithoutStore(ctx context.Context) error {
	file, err := r.look(ctx, r.user)
	if err != nil {
		return err
	}
	r.result.Bytes = file.Size
	if !file.fenced() && userdb.MetadataLifted(file.Object.Metadata) != 0 {
		r.toBeSealed()
		return nil
	}
	if !file.fenced() {
		r.result.Outcome = OutcomeNothing
		return nil
	}
	if file.tombstone() {
		return tombstoneWithoutStore(r.user, file)
	}
	r.g, r.liftedFrom = file.Non, file.Lin
	if err := r.liftOnce(ctx, file); err != nil {
		return err
	}
	r.toBeSealed()
	return nil
}

func (r *retreat) toBeSealed() {
	r.result.Outcome = OutcomeToBeSealed
	r.result.Reason = "the Durable Object could not be sealed: keep the router on path \"r2\" until `dbmigrate rollback` has reached it"
	r.result.dropFlag()
}
