package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// canDiscard refuses, before anything is sealed, to go back to a kept file that is not there any more.
func (r *retreat) canDiscard(ctx context.Context) error {
	if !r.opts.DiscardWrites {
		return nil
	}
	st, err := r.Stores.Status(ctx, r.user)
	if err != nil || st.Phase != userdb.Active {
		return err
	}
	file, err := r.look(ctx, r.user)
	if err != nil {
		return err
	}
	kept, err := r.sides().KeptFile(ctx, r.user, file, st.Receipt)
	kept.Remove()
	if err == nil && kept == nil {
		return keptFileGone(r.user, file)
	}
	return err
}

func keptFileGone(u userdb.UserID, file userfile.Version) error {
	return &userdb.Error{Op: "discard the writes of", Thing: string(u), Kind: userdb.Conflict,
		Err: fmt.Errorf(
			"the kept file is gone or is not the one that was migrated (%s is %s)",
			file.Key,
			file.Word(),
		),
		Hint: "roll back without --discard-writes: the Durable Object has everything"}
}

// nothingToDo says whether the user already is where a rollback ends: never claimed and unfenced, or rolled
// back by the newest claim. It also takes the one way that works without a Durable Object.
func (r *retreat) nothingToDo(ctx context.Context) (bool, error) {
	st, err := r.firstStatus(ctx)
	if r.opts.DiscardWrites && r.opts.StoreUnreachable && userdb.KindOf(err) == userdb.Unreachable {
		return true, r.liftWithoutStore(ctx)
	}
	if err != nil {
		return false, err
	}
	file, err := r.look(ctx, r.user)
	if err != nil {
		return false, err
	}
	if r.opts.DiscardWrites && st.Phase.Split() && st.Phase != userdb.Splitting &&
		!userfile.AlteredParts(file, st) {
		return false, splitNeedsStore(r.user)
	}
	if userfile.Clean(st, file) {
		if file.Absent && st.Gen == 0 {
			return false, userfile.NoFile("roll back", r.user, file.Key)
		}
		r.result.Outcome, r.result.Bytes = result.OutcomeNothing, file.Size
		r.result.DropFlag()
		return true, nil
	}
	r.seen = file
	r.stops = st.Phase == userdb.Active || st.Phase == userdb.Cold
	r.need = st.DatabaseBytes + file.Size
	r.merges = st.Phase == userdb.Cold
	if r.merges {
		r.need *= 2 // both parts, and the whole
	}
	return false, userfile.MaySeal(r.user, st, file)
}

// canFinish proves, before the seal stops the user's writes, what the rollback needs to end it: the right to
// write, and room for the copies. The caller releases the room.
func (r *retreat) canFinish(ctx context.Context) (release func(), err error) {
	if !r.stops {
		return func() {}, nil
	}
	if err := r.mayWrite(ctx); err != nil {
		return nil, err
	}
	if err := r.writer().Travels(ctx, r.user, r.seen); err != nil {
		return nil, fmt.Errorf(
			"nothing was sealed, because the file could not be written back as it was: %w",
			err,
		)
	}
	if err := r.canMerge(ctx); err != nil {
		return nil, fmt.Errorf("nothing was sealed, because the two sides could not be united: %w", err)
	}
	return r.hasRoom()
}

func (r *retreat) mayWrite(ctx context.Context) error {
	if err := r.canWrite(ctx); err != nil {
		r.result.StopsRun = forEverybody(err)
		return fmt.Errorf("nothing was sealed, because the file could not be written back: %w", err)
	}
	return nil
}

func (r *retreat) hasRoom() (release func(), err error) {
	release, err = r.makeRoom()
	if err != nil {
		// A user who is larger than the disk says nothing of the others.
		r.result.StopsRun = userdb.KindOf(err) == userdb.NoSpace && r.need <= fitsAnywhere
		return nil, fmt.Errorf("nothing was sealed, because the file could not be built: %w", err)
	}
	return release, nil
}

// canMerge opens the hot file of a split user for the first time while nobody waits. A version that comes
// later is opened again.
func (r *retreat) canMerge(ctx context.Context) error {
	if !r.merges {
		return nil
	}
	hot, err := r.hotCopy(ctx, r.user)
	if err != nil {
		return err
	}
	defer hot.Remove()
	r.opened = hot.SHA
	if r.opts.sealed != nil {
		return nil // a split tries it by itself
	}
	st, err := r.Stores.Status(ctx, r.user)
	if err != nil || st.Phase != userdb.Cold {
		return err
	}
	err = r.tryMerge(ctx, r.user, st, hot, r.opts.Prefer)
	if userdb.KindOf(err) == userdb.Precondition {
		return nil // the application is too busy for a copy: the seal will tell
	}
	return err
}

func (r *retreat) makeRoom() (release func(), err error) {
	dir, err := r.source().ScratchDir()
	if err != nil {
		return nil, r.source().NoSpace(err)
	}
	proof := r.WriteProof
	if proof == nil {
		proof = new(WriteProof)
	}
	release, err = proof.disk.reserve(r.need, func() (int64, error) { return r.free(dir) })
	var full *userdb.Error
	if errors.As(err, &full) && full.Kind == userdb.NoSpace {
		full.Hint = r.source().RoomHint()
	}
	return release, err
}
