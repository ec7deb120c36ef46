package migrate

import (
	"context"
	"errors"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// RollbackOptions change what goes back.
type RollbackOptions struct {
	// DiscardWrites puts the kept file back as it was and leaves behind what was written since. Losing is
	// what it is for, so the command line asks for it in words.
	DiscardWrites bool
	// StoreUnreachable goes on, under DiscardWrites, when the Durable Object does not answer and so cannot be
	// sealed.
	StoreUnreachable bool
	// Prefer says which half of a split user keeps its row where both have one under the same key. The
	// other half is saved, whole, under .dbmigrate/left-behind/.
	Prefer split.Prefer
	// WithoutCopy does not save, under DiscardWrites, what is left behind.
	WithoutCopy bool
	// EndForeignMark does nothing but end this foreign mark, which somebody was shown; nil is no such wish.
	EndForeignMark *inspect.ForeignMark
	// NamedOnly: under EndForeignMark, refuse a file that has only the hot rows of a split. It is for users
	// that were not named.
	NamedOnly bool

	// sealed is called for a split user before the cold rows leave the Durable Object, and may stop that.
	sealed func(context.Context, wire.Status) error
	// fits is called with the whole file that is about to be put, and may stop that: the user is then
	// served as before.
	fits func(context.Context, *userfile.Copy) error
}

// retreat is one user's way back into the file under one claim.
type retreat struct {
	*Engine
	user   userdb.UserID
	fences *announcer
	opts   RollbackOptions
	g      userdb.Claim
	// liftedFrom is the lineage of a fence that is lifted without its Durable Object.
	liftedFrom userdb.Lineage
	// hotOf is the lineage of the cold rows of a split user who stays split.
	hotOf userdb.Lineage
	// kept proves, where the Durable Object cannot, which file was migrated; nil when nothing does.
	kept *wire.Receipt
	// original is what our own fence was put over, and fence that fence; nil where another command put it.
	original *userfile.Copy
	fence    userdb.Mark
	seen     userfile.Version // the file, before the claim
	served   bool             // the file is authoritative: what is left is clean-up
	// stops: the Durable Object took writes when it was looked at, and the claim will end that.
	stops bool
	need  int64 // bytes on the operator's disk
	// first is the status that was read beside the first look at the file; nil: it is still to be read.
	first *firstStatus
	// unclaimed is the fenced file as it was before the claim; nil: it is still to be looked at.
	unclaimed *userfile.Version
	// asked: a composite request was sent, so the user may be sealed although this command has no claim.
	asked  bool
	result *result.Result
	// merges: the Durable Object has cold rows, which go back into the file.
	merges bool
	// instead is what a restore puts, whatever either side has; nil for a rollback.
	instead *userfile.Copy
	unfit   bool   // opts.fits has stopped the rollback
	opened  string // the SHA of the hot file that was checked before anybody had to wait
}

// Rollback makes the user's file authoritative, from whatever state earlier commands left (docs/cutover.md,
// 3.3). The flag is not deleted: the caller does that in bulk.
func (e *Engine) Rollback(ctx context.Context, u userdb.UserID, opts RollbackOptions) result.Result {
	started := e.now()
	r := &retreat{
		Engine: e,
		user:   u,
		fences: e.announcer(u),
		opts:   opts,
		result: &result.Result{User: u, Action: result.ActionRollback},
	}
	err := r.run(ctx)
	e.WriteProof.settle()
	return r.result.End(e.now().Sub(started), err)
}

func (r *retreat) run(ctx context.Context) error {
	if r.opts.EndForeignMark != nil {
		return r.endForeignMark(ctx)
	}
	taken, err := r.atOnce(ctx)
	if !taken {
		if r.asked { // a repetition was refused, and the request before it may have sealed the object
			ctx = context.WithoutCancel(ctx)
		}
		err = r.singly(ctx)
	}
	if r.asked && r.result.Claim == 0 && err != nil {
		r.result.Open = r.result.Open || r.mayBeSealed(ctx, err)
	}
	return err
}

// mayBeSealed says whether a request in several steps has left the user without writes, or may still do so.
// It may be under way, for the first time or once more; a newer claim makes it one that changes nothing.
func (r *retreat) mayBeSealed(ctx context.Context, err error) bool {
	if userdb.KindOf(err) == userdb.Superseded {
		return false
	}
	ctx = context.WithoutCancel(ctx)
	st, err := r.Stores.Status(ctx, r.user)
	if intent, serves := sealsNothing[st.Phase]; err == nil && serves {
		_, err = r.claimAfter(ctx, r.user, intent, st.Gen)
	}
	return err != nil || st.Phase == userdb.Sealed || st.Phase == userdb.ColdSealed
}

// sealsNothing are the claims under which an object that serves goes on serving.
var sealsNothing = map[userdb.Phase]wire.Intent{userdb.Active: wire.IntentMigrate, userdb.Cold: wire.IntentSplit}

// singly rolls back by the single requests.
func (r *retreat) singly(ctx context.Context) error {
	done, err := r.nothingToDo(ctx)
	if done || err != nil {
		return err
	}
	// The seal stops the user's writes, so from the claim on an interrupt does not separate it from the rest.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.canDiscard(ctx); err != nil {
		return err
	}
	release, err := r.canFinish(ctx)
	if err != nil {
		return err
	}
	defer release()
	ctx = context.WithoutCancel(ctx)
	begun := r.now()
	c, err := r.claim(ctx, r.user, wire.IntentRollback)
	if err != nil {
		// A claim may have sealed the object although its answer was lost.
		served := c.seen.Phase == userdb.Active || c.seen.Phase == userdb.Cold
		r.result.Open = served && userdb.KindOf(err) != userdb.Superseded
		return err
	}
	return r.end(ctx, c, begun)
}

// end finishes the rollback under a claim that was granted, or takes it back.
func (r *retreat) end(ctx context.Context, c claimed, begun time.Time) error {
	err := r.finish(ctx, c)
	if stopsWrites(c.Outcome) {
		r.result.Window = r.now().Sub(begun)
	}
	if r.result.Open {
		err = r.goesBack(ctx, c, err)
	}
	err = r.source().NoSpace(err)
	r.result.StopsRun = userdb.KindOf(err) == userdb.NoSpace
	return err
}

// stopsWrites says whether a rollback's claim found rows in the Durable Object that may have been written
// there until then.
func stopsWrites(o wire.Outcome) bool {
	return o == wire.OutcomeExport || o == wire.OutcomeMerge || o == wire.OutcomeUndo
}

// isPermanent says whether the same command again, a moment later, is likely to end the same way: something
// has to be mended first. What passes by itself, or is another command's, is not.
func isPermanent(err error) bool {
	if answered := (*wire.RemoteError)(nil); errors.As(err, &answered) && answered.Kind == wire.KindInternal {
		return true // after a minute of attempts: the user is not to wait for more of them
	}
	switch userdb.KindOf(err) {
	case userdb.Unreachable, userdb.Throttled, userdb.Precondition, userdb.Superseded, userdb.Interrupted:
		return false
	}
	return true
}

// isAboutData says that a failure is about what a side holds, so that a person has to look.
func isAboutData(err error) bool {
	switch userdb.KindOf(err) {
	case userdb.Conflict, userdb.Mismatch, userdb.Refused, userdb.Damaged, userdb.Internal:
		return true
	}
	return false
}

// finish makes the file authoritative under a claim that was granted.
func (r *retreat) finish(ctx context.Context, c claimed) error {
	r.g, r.result.Claim = c.Gen, c.Gen
	if c.Phase == userdb.ColdSealed {
		r.unclaimed = &c.file // whatever it is, the rows are joined
	}
	want := returning
	if r.instead != nil {
		want = restoring
	}
	err := fulfil(ctx, r, want, c.Status)
	err = r.sides().UnlessSuperseded(ctx, "roll back", r.user, r.g, err)
	if err == nil {
		r.result.DropFlag()
	} else if userdb.KindOf(err) != userdb.Superseded {
		r.result.Open = !r.served && (stopsWrites(c.Outcome) || c.file.Fenced())
		r.result.CleanupPending = r.served && r.result.Outcome != "" && !isAboutData(err)
	}
	return err
}

func (r *retreat) id() userdb.UserID { return r.user }

func (r *retreat) announces() *announcer { return r.fences }

func (r *retreat) lookAs(ctx context.Context, op string) (userfile.Version, error) {
	file, err := r.lookOnce(ctx)
	if err != nil {
		return file, err
	}
	return file, file.Superseded(op, r.user, r.g)
}

func (r *retreat) fenceGone(_ context.Context, at position) (*wire.Status, error) {
	return nil, userfile.FenceGone(r.user, at.file, at.object)
}

func (r *retreat) hotFileGone(_ context.Context, at position) (*wire.Status, error) {
	return nil, userfile.HotFileGone(r.user, at.file.Key)
}
