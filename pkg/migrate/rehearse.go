package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// rehearsalFolder holds, for the time of its PUT, the file that a rehearsal made.
const rehearsalFolder = userdb.ReservedPrefix + "rehearsals/"

func rehearsalKey(u userdb.UserID) userdb.ObjectKey {
	return userdb.ObjectKey(rehearsalFolder + string(u) + ".sqlite")
}

// rehearseTries bounds how often a rehearsal starts over because the application wrote under it. The real
// rollback stops the writes first.
const rehearseTries = 3

var errWroteMeanwhile = errors.New("the application wrote during every attempt to look at a copy")

// Rehearse does everything of the user's rollback but the switch, on a copy: digest, export, build, proof,
// and the PUT, to a key of its own that is deleted again. It claims nothing and seals nothing, so the
// application notices no more than the load. The account's Window is how long its writes would have waited.
func (e *Engine) Rehearse(ctx context.Context, u userdb.UserID) result.Result {
	return e.RehearsePreferring(ctx, u, "")
}

// RehearsePreferring rehearses a rollback with that preference. What the real one would save of the other
// half is not saved.
func (e *Engine) RehearsePreferring(ctx context.Context, u userdb.UserID, prefer split.Prefer) result.Result {
	started := e.now()
	opts := RollbackOptions{Prefer: prefer}
	r := &retreat{Engine: e, user: u, opts: opts, result: &result.Result{User: u, Action: result.ActionRehearse}}
	err := e.endOnDisk(r.result, r.rehearse(ctx))
	return r.result.End(e.now().Sub(started), err)
}

func (r *retreat) rehearse(ctx context.Context) error {
	st, file, err := r.sides().Both(ctx, r.user)
	if err != nil {
		return err
	}
	r.result.Bytes = file.Size
	if st.Phase == userdb.Cold {
		return r.rehearseMerge(ctx, st)
	}
	if st.Phase.Split() {
		r.result.Outcome, r.result.Reason = result.OutcomeNothing, "a split or a merge was left open: the next command ends it"
		return nil
	}
	if st.Phase != userdb.Active && st.Phase != userdb.Sealed {
		r.result.Outcome, r.result.Reason = result.OutcomeNothing, "the Durable Object does not serve the user: nothing would be exported"
		return nil
	}
	if err := userfile.MaySeal(r.user, st, file); err != nil {
		return err
	}
	return r.despiteWrites(ctx, "rehearse", r.user, st, func() error { return r.rehearseOnce(ctx, file) })
}

// rehearseMerge does everything of a split user's rollback but the switch, on copies.
func (r *retreat) rehearseMerge(ctx context.Context, st wire.Status) error {
	hot, err := r.hotCopy(ctx, r.user)
	if err != nil {
		return err
	}
	defer hot.Remove()
	return r.despiteWrites(ctx, "rehearse", r.user, st, func() error {
		begun := r.now()
		whole, err := r.mergedCopy(ctx, r.user, st, hot, r.opts.Prefer)
		if err != nil {
			return err
		}
		defer whole.Remove()
		r.result.Bytes = whole.Size
		if err := r.putForAMoment(ctx, whole); err != nil {
			return err
		}
		r.result.Outcome, r.result.Window = result.OutcomeRehearsed, max(r.now().Sub(begun), time.Millisecond)
		return nil
	})
}

// despiteWrites attempts what reads a Durable Object that is not sealed. It tries again when the application
// wrote meanwhile: what was read is of two moments then, and its contradictions say nothing. st is the
// object's state before.
func (e *Engine) despiteWrites(
	ctx context.Context,
	op string,
	u userdb.UserID,
	st wire.Status,
	attempt func() error,
) error {
	for try := 1; ; try++ {
		err := attempt()
		if kind := userdb.KindOf(err); kind != userdb.Conflict && kind != userdb.Mismatch {
			return err
		}
		now, statusErr := e.Stores.Status(ctx, u)
		switch {
		case statusErr != nil:
			return fmt.Errorf(
				"%w; and before that: %w",
				statusErr,
				err,
			) // nobody can tell whether that is real
		case now.Gen != st.Gen:
			return userfile.SupersededBy(op, u, st.Gen, now.Gen, err)
		case now.Writes == st.Writes:
			return err // nobody wrote: the contradiction is real
		case try == rehearseTries:
			return &userdb.Error{
				Op:    op,
				Thing: string(u),
				Kind:  userdb.Precondition,
				Err:   errWroteMeanwhile,
				Hint:  "nothing changed; run the command again when the user is less busy, or roll the user back, which stops the writes",
			}
		}
		st = now
	}
}

func (r *retreat) rehearseOnce(ctx context.Context, seen userfile.Version) error {
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
	defer file.Remove()
	r.result.Bytes, r.result.Tables = file.Size, len(report.Digest.Tables)
	if err := r.putForAMoment(ctx, file); err != nil {
		return err
	}
	r.result.Outcome, r.result.Window = result.OutcomeRehearsed, max(r.now().Sub(begun), time.Millisecond)
	return nil
}

// putForAMoment measures the PUT where no application looks.
func (r *retreat) putForAMoment(ctx context.Context, file *userfile.Copy) error {
	key := rehearsalKey(r.user)
	begun := r.now()
	err := file.PutAt(ctx, r.Files, key, userdb.PutOptions{ContentType: userfile.ContentType})
	r.observe(result.Event{User: r.user, Stage: result.StagePut, Bytes: file.Size, Took: r.now().Sub(begun)})
	return errors.Join(err, reserved.Delete(context.WithoutCancel(ctx), r.Files, key))
}
