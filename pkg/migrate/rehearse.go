package migrate

import (
	"context"
	"errors"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// rehearsalFolder holds, for the time of its PUT, the file that a rehearsal made.
const rehearsalFolder = userdb.ReservedPrefix + "rehearsals/"

// rehearseTries bounds how often a rehearsal begins anew because the application wrote under it; the real rollback stops the writes first.
const rehearseTries = 3

// Rehearse does everything of the user's rollback but the switch, on a copy: digest, export, build, proof, and the PUT, to a key of its own
// that is deleted again. It claims nothing and seals nothing, so the application notices no more than the load. The account's Window is how
// long its writes would have waited.
func (e *Engine) Rehearse(ctx context.Context, u userdb.UserID) Result {
	started := e.now()
	r := &retreat{Engine: e, user: u, result: &Result{User: u, Action: ActionRehearse}}
	err := r.rehearse(ctx)
	return r.result.end(e.now().Sub(started), err)
}

func (r *retreat) rehearse(ctx context.Context) error {
	st, file, err := r.bothSides(ctx, r.user)
	if err != nil {
		return err
	}
	r.result.Bytes = file.Size
	if st.Phase.Split() {
		r.result.Outcome, r.result.Reason = OutcomeNothing, "the user is split: a merge is not rehearsed"
		return nil
	}
	if st.Phase != userdb.Active && st.Phase != userdb.Sealed {
		r.result.Outcome, r.result.Reason = OutcomeNothing, "the Durable Object does not serve the user: nothing would be exported"
		return nil
	}
	if err := r.maySeal(st, file); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := r.rehearseOnce(ctx, file)
		if userdb.KindOf(err) != userdb.Conflict && userdb.KindOf(err) != userdb.Mismatch {
			return err
		}
		now, statusErr := r.Stores.Status(ctx, r.user)
		if statusErr != nil || now.Writes == st.Writes {
			return err // nobody wrote: the contradiction is real
		}
		if st = now; try == rehearseTries {
			return &userdb.Error{Op: "rehearse", Thing: string(r.user), Kind: userdb.Conflict, Err: errors.New("the application wrote during every attempt"),
				Hint: "the real rollback seals the Durable Object first; rehearse when the user is less busy"}
		}
	}
}

// bothSides looks at both sides, and refuses what no command would go on with.
func (e *Engine) bothSides(ctx context.Context, u userdb.UserID) (wire.Status, fileState, error) {
	st, err := e.Stores.Status(ctx, u)
	if err != nil {
		return st, fileState{}, err
	}
	file, err := e.look(ctx, u)
	if err != nil {
		return st, file, err
	}
	if file.absent && st.Gen == 0 {
		return st, file, noFile("roll back", u, file.Key)
	}
	if err := e.samePlace(u, st.Receipt); err != nil {
		return st, file, err
	}
	return st, file, e.storeNotSetBack(ctx, u, st, file)
}

func (r *retreat) rehearseOnce(ctx context.Context, seen fileState) error {
	begun := r.now()
	report, err := r.Stores.FreshDigest(ctx, r.user)
	if err != nil {
		return err
	}
	st, err := r.Stores.Status(ctx, r.user)
	if err != nil {
		return err
	}
	file, _, err := r.fileToPutBack(ctx, seen, st, *report.Digest)
	if err != nil {
		return err
	}
	defer file.remove()
	r.result.Bytes, r.result.Tables = file.Size, len(report.Digest.Tables)
	if err := r.putForAMoment(ctx, file); err != nil {
		return err
	}
	r.result.Outcome, r.result.Window = OutcomeRehearsed, max(r.now().Sub(begun), time.Millisecond)
	return nil
}

// putForAMoment measures the PUT where no application looks.
func (r *retreat) putForAMoment(ctx context.Context, file *spool) error {
	key := userdb.ObjectKey(rehearsalFolder + string(r.user) + ".sqlite")
	begun := r.now()
	err := r.putWhole(ctx, key, file, userdb.PutOptions{ContentType: sqliteContentType})
	r.observe(Event{User: r.user, Stage: StagePut, Bytes: file.Size, Took: r.now().Sub(begun)})
	return errors.Join(err, r.deleteReserved(context.WithoutCancel(ctx), key))
}
