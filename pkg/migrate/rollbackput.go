package migrate

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// putStamped puts the file, unfenced and stamped with our claim, in place of the version seen. Whether a failed PUT took effect cannot
// be known, so the file itself is asked.
func (r *retreat) putStamped(ctx context.Context, file *userfile.Copy, seen userfile.Version) error {
	begun := r.now()
	_, err := r.replace(ctx, file, seen, userdb.Mark{Kind: userdb.StampMark, Stamp: r.g.Stamp(), LiftedFrom: r.liftedFrom, HotOf: r.hotOf})
	if err != nil {
		err = r.stampLanded(ctx, seen, err)
	}
	r.observe(result.Event{User: r.user, Stage: result.StagePut, Bytes: file.Size, Took: r.now().Sub(begun)})
	return err
}

func (r *retreat) stampLanded(ctx context.Context, seen userfile.Version, putErr error) error {
	if userdb.KindOf(putErr) == userdb.ProtocolError {
		return putErr // R2 may hold other bytes than were sent: the mark alone proves nothing
	}
	file, err := r.look(ctx, r.user)
	if err != nil {
		return fmt.Errorf("%w; and the file cannot be looked at: %w", putErr, err)
	}
	if err := file.Superseded("roll back", r.user, r.g); err != nil {
		return err
	}
	if !file.Fenced() && file.Stamp == r.g.Stamp() {
		return nil
	}
	if file.ETag != seen.ETag {
		return &userdb.Error{Op: "roll back", Thing: string(r.user), Kind: userdb.Precondition, Err: putErr}
	}
	return putErr
}
