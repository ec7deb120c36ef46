package migrate

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// putStamped puts the file, unfenced and stamped with our claim, in place of the version seen. Whether a
// failed PUT took effect cannot be known, so the file itself is asked.
func (r *retreat) putStamped(
	ctx context.Context,
	file *userfile.Copy,
	seen userfile.Version,
	altered altered,
) error {
	return r.stamp(ctx, file, seen, altered, func(mark userdb.Mark) error {
		_, err := r.replace(ctx, file, seen, mark)
		return err
	})
}

// altered is the error of a file that took effect with other bytes than were sent. What is safe to do then
// depends on what the Durable Object has.
type altered func(op string, u userdb.UserID, file userfile.Version) error

// restamp is putStamped for the bytes that are there. The Worker does it where it can: then no upload is
// needed, and nothing that the object carries changes on the way.
func (r *retreat) restamp(ctx context.Context, file *userfile.Copy) error {
	if userfile.AlteredUnderFence(file.Version) {
		if r.original == nil {
			return userfile.OtherUnderFence("lift the fence of", r.user, file.Version)
		}
		// Under the fence first: what arrives altered without one is served.
		mark := r.fence
		mark.Non = r.g.Nonce()
		now, err := r.fenceInPlaceOf(ctx, r.user, file.Version, r.original, mark)
		if err != nil {
			return err
		}
		return r.putStamped(ctx, r.original, now, userfile.OtherUnderStamp)
	}
	return r.stamp(ctx, file, file.Version, userfile.OtherUnderStamp, func(mark userdb.Mark) error {
		_, err := file.Remark(ctx, r.writer(), r.user, mark)
		return err
	})
}

func (r *retreat) stamp(
	ctx context.Context,
	file *userfile.Copy,
	seen userfile.Version,
	altered altered,
	put func(userdb.Mark) error,
) error {
	begun := r.now()
	mark := userdb.Mark{
		Kind:       userdb.StampMark,
		Stamp:      r.g.Stamp(),
		LiftedFrom: r.liftedFrom,
		HotOf:      r.hotOf,
	}
	err := put(mark)
	if err != nil {
		err = r.stampLanded(ctx, seen, altered, err)
	}
	r.observe(result.Event{User: r.user, Stage: result.StagePut, Bytes: file.Size, Took: r.now().Sub(begun)})
	return err
}

func (r *retreat) stampLanded(
	ctx context.Context,
	seen userfile.Version,
	altered altered,
	putErr error,
) error {
	file, err := r.look(ctx, r.user)
	if err != nil {
		return fmt.Errorf("%w; and the file cannot be looked at: %w", putErr, err)
	}
	if err := file.Superseded("roll back", r.user, r.g); err != nil {
		return err
	}
	if !file.Fenced() && file.Stamp == r.g.Stamp() {
		if userdb.HasOtherContent(file.Object) {
			// It is not put once more: a writer that carries the note along may have saved it.
			return altered("put back", r.user, file)
		}
		if userdb.KindOf(putErr) == userdb.ProtocolError {
			return altered("put back", r.user, file) // R2 said so, and what noted the content was lost on the way
		}
		// Other bytes without a note of the content: the application has saved on top of what was put.
		return nil
	}
	if file.ETag != seen.ETag {
		return &userdb.Error{Op: "roll back", Thing: string(r.user), Kind: userdb.Precondition, Err: putErr}
	}
	return putErr
}
