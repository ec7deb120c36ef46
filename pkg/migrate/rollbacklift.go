package migrate

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// lift takes back a migration that never became active: the same content, stamped. Even a file that carries
// no fence is touched, so that the fence PUT of a dead command that is still under way meets a changed ETag.
func (r *retreat) lift(ctx context.Context, at position) (*wire.Status, error) {
	if r.result.Outcome == "" {
		r.result.Outcome = result.OutcomeLifted
	}
	r.result.Bytes = at.file.Size
	if at.file.Tombstone() {
		return nil, tombstoneWithoutStore(r.user, at.file)
	}
	if at.file.What != userdb.SQLiteFile {
		return nil, nil // a fence PUT is conditional on a database's ETag: it cannot land here
	}
	return nil, orLookAgain(r.liftOnce(ctx, at.file))
}

func (r *retreat) liftOnce(ctx context.Context, seen userfile.Version) error {
	file, err := r.download(ctx, r.user)
	if err != nil {
		return err
	}
	defer file.Remove()
	if err := file.Superseded("lift the fence of", r.user, r.g); err != nil {
		return err
	}
	if r.kept != nil && file.SHA != r.kept.SourceSHA {
		return notTheMigrated(r.user, file.Version, *r.kept)
	}
	return r.restamp(ctx, file)
}

// liftWithoutStore frees the file when the Durable Object does not answer. There is no claim to stamp with;
// the fence's own nonce is the newest number there is.
func (r *retreat) liftWithoutStore(ctx context.Context) error {
	file, err := r.look(ctx, r.user)
	if err != nil {
		return err
	}
	r.result.Bytes = file.Size
	if !file.Fenced() && userdb.MetadataLifted(file.Object.Metadata) != 0 {
		r.toBeSealed()
		return nil
	}
	if !file.Fenced() {
		r.result.Outcome = result.OutcomeNothing
		if userdb.MetadataHotOf(file.Object.Metadata) == 0 {
			r.result.Flag = result.FlagChange{Delete: true} // a run before this one may have left it
		}
		return nil
	}
	if file.Mark.Split {
		return splitNeedsStore(r.user)
	}
	if file.Tombstone() {
		return tombstoneWithoutStore(r.user, file)
	}
	r.g, r.liftedFrom = file.Non.Claim(), file.Lin
	// A receipt that cannot be read proves nothing, and stops nobody: this is the way out of an emergency.
	r.kept, _ = r.ReceiptCopy(ctx, r.user, file.Lin.Claim())
	if err := r.liftOnce(ctx, file); err != nil {
		return err
	}
	r.toBeSealed()
	return nil
}

func notTheMigrated(u userdb.UserID, file userfile.Version, receipt wire.Receipt) error {
	return &userdb.Error{Op: "lift the fence of", Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"%s is fenced, but its bytes are not the ones that run %s migrated, says the receipt in R2",
			file.Key,
			receipt.Run,
		),
		Hint: "the file was changed or damaged under its fence: look at a copy of it before anybody is served from it"}
}

func (r *retreat) toBeSealed() {
	r.result.Outcome = result.OutcomeToBeSealed
	r.result.Reason = "the Durable Object could not be sealed or saved: keep the router on path \"r2\" until `dbmigrate rollback` has reached it"
	if r.kept != nil {
		r.result.Reason += fmt.Sprintf(
			"; the file is bit for bit the one that run %s migrated, by its receipt in R2",
			r.kept.Run,
		)
	}
	r.result.DropFlag()
}
