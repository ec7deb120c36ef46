package migrate

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// bringBack writes what the sealed Durable Object holds into the file and releases it. The file is under
// the fence of this lineage, or there is none: any other means that an earlier rollback's export is already
// there.
func (r *retreat) bringBack(ctx context.Context, at position) (*wire.Status, error) {
	if err := userfile.Untouched(r.user, at.file, at.object); err != nil {
		return nil, err
	}
	if err := orLookAgain(r.putBack(ctx, at.object, at.file)); err != nil {
		return nil, err
	}
	_, err := r.Stores.Release(ctx, r.user, r.g)
	return nil, err
}

// releaseExported ends a rollback if an earlier run put its export in place. Such an export carries a stamp
// from after the lineage. A file without one was written by somebody else, and the sealed object may be the
// only copy of what it holds. The fence of a dead command may be under way, so the file is touched once more.
func (r *retreat) releaseExported(ctx context.Context, at position) (*wire.Status, error) {
	if !at.file.ExportedSince(at.object) {
		return r.fenceGone(ctx, at)
	}
	if userdb.HasOtherContent(at.file.Object) && !r.opts.DiscardWrites {
		return nil, userfile.OtherContent("release", r.user, at.file)
	}
	r.served = true
	if err := r.mayLeaveBehind(ctx, at.file, at.object); err != nil {
		return nil, err
	}
	if r.instead == nil {
		r.result.Outcome, r.result.Bytes = result.OutcomeExported, at.file.Size
	}
	return r.released(ctx)
}

func (r *retreat) released(ctx context.Context) (*wire.Status, error) {
	st, err := r.Stores.Release(ctx, r.user, r.g)
	return &st, err
}

// mayLeaveBehind asks for confirmation before a Durable Object is emptied that may have taken writes that no
// file has. With the confirmation, they are saved first.
func (r *retreat) mayLeaveBehind(ctx context.Context, file userfile.Version, st wire.Status) error {
	if !userdb.HasOtherContent(file.Object) && !userfile.MayLackWrites(file, st) {
		return nil
	}
	if r.opts.DiscardWrites {
		report, err := r.Stores.FreshDigest(ctx, r.user)
		if err != nil {
			return err
		}
		return r.saveLeftBehind(ctx, *report.Digest)
	}
	return userfile.WritesMayBeLost("release", r.user, file, st)
}

// putBack makes one attempt to put the file in place of the version just seen.
func (r *retreat) putBack(ctx context.Context, st wire.Status, seen userfile.Version) error {
	// Computed again: what was written past the Durable Object's own code counts too.
	report, err := r.Stores.FreshDigest(ctx, r.user)
	if err != nil {
		return err
	}
	if report.Gen != r.g {
		// An absent file shows no mark, so only the Durable Object can say that a newer command owns the
		// user.
		return &userdb.Error{Op: "roll back", Thing: string(r.user), Kind: userdb.Superseded,
			Err: fmt.Errorf(
				"claim %d was superseded by claim %d",
				r.g,
				report.Gen,
			), Hint: "another command owns this user now; nothing more was changed"}
	}
	file, outcome, err := r.fileToPutBack(ctx, seen, st, *report.Digest)
	if err != nil {
		return err
	}
	if file != r.instead { // which is needed again where the PUT loses its race
		defer file.Remove()
	}
	if r.opts.fits != nil {
		if err := r.opts.fits(ctx, file); err != nil {
			r.unfit = true
			return err
		}
	}
	if err := r.putStamped(ctx, file, seen, userfile.OtherContent); err != nil {
		return err
	}
	r.served = true
	r.result.Outcome, r.result.Bytes, r.result.Warnings = outcome, file.Size, file.Warnings
	return nil
}

// fileToPutBack chooses the kept bytes when they are still what the user has (or all that the user shall
// have). Otherwise it builds the file from the Durable Object.
func (r *retreat) fileToPutBack(
	ctx context.Context,
	seen userfile.Version,
	st wire.Status,
	digest wire.DatabaseDigest,
) (*userfile.Copy, result.Outcome, error) {
	if r.instead != nil {
		return r.instead, result.OutcomeReplaced, r.saveLeftBehind(ctx, digest)
	}
	receipt := st.Receipt
	// A write may leave every row as it was and still change something that no digest covers: an option of a
	// full-text index.
	unchanged := receipt != nil && receipt.Digest.Database == digest.Database &&
		st.Writes == st.WritesAtActivation
	if unchanged || r.opts.DiscardWrites {
		kept, err := r.sides().KeptFile(ctx, r.user, seen, receipt)
		if err != nil {
			return nil, "", err
		}
		if kept != nil && unchanged {
			return kept, result.OutcomeRestored, nil
		}
		if kept != nil {
			if err := r.saveLeftBehind(ctx, digest); err != nil {
				kept.Remove()
				return nil, "", err
			}
			return kept, result.OutcomeDiscarded, nil
		}
	}
	if r.opts.DiscardWrites && !unchanged {
		return nil, "", keptFileGone(r.user, seen)
	}
	file, err := r.exportFile(ctx, r.user, digest)
	return file, result.OutcomeExported, err
}
