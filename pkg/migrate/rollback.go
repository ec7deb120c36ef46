package migrate

import (
	"context"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// RollbackOptions change what goes back.
type RollbackOptions struct {
	// DiscardWrites puts the kept file back as it was and leaves behind what was written since. Losing is what it is for, so the
	// command line asks for it in words.
	DiscardWrites bool
	// StoreUnreachable goes on, under DiscardWrites, when the Durable Object does not answer and so cannot be sealed.
	StoreUnreachable bool
	// WithoutCopy does not save, under DiscardWrites, what is left behind.
	WithoutCopy bool

	// sealed is called of a split user before his cold rows leave the Durable Object, and may stop that.
	sealed func(context.Context, wire.Status) error
}

// retreat is one user's way back into the file under one claim.
type retreat struct {
	*Engine
	user userdb.UserID
	opts RollbackOptions
	g    userdb.Claim
	// liftedFrom is the lineage whose fence is lifted without its Durable Object.
	liftedFrom userdb.Claim
	// hotOf is the lineage of the cold rows of a split user who stays split.
	hotOf userdb.Claim
	// kept proves, where the Durable Object cannot, which file was migrated; nil when nothing does.
	kept   *wire.Receipt
	served bool // the file is authoritative: what is left is clean-up
	result *Result
}

// Rollback makes the user's file authoritative, from whatever state earlier commands left (docs/cutover.md, 3.3). The flag is not
// deleted: the caller does that in bulk.
func (e *Engine) Rollback(ctx context.Context, u userdb.UserID, opts RollbackOptions) Result {
	started := e.now()
	r := &retreat{Engine: e, user: u, opts: opts, result: &Result{User: u, Action: ActionRollback}}
	err := r.run(ctx)
	return r.result.end(e.now().Sub(started), err)
}

func (r *retreat) run(ctx context.Context) error {
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
	ctx = context.WithoutCancel(ctx)
	begun := r.now()
	c, err := r.claim(ctx, r.user, wire.IntentRollback)
	if err != nil {
		// A claim whose answer was lost may have sealed the object.
		served := c.seen.Phase == userdb.Active || c.seen.Phase == userdb.Cold
		r.result.Open = served && userdb.KindOf(err) != userdb.Superseded
		return err
	}
	err = r.finish(ctx, c)
	if stopsWrites(c.Outcome) {
		r.result.Window = r.now().Sub(begun)
	}
	r.result.Open = r.result.Open && !r.goesBack(ctx, c.Outcome, err)
	return err
}

// goesBack returns a user, whose rollback failed under way, to where he was. A user whom the Durable Object has as a whole waits for the same command,
// unless it would end the same way; the two sides of a split user can open again at once.
func (r *retreat) goesBack(ctx context.Context, found wire.Outcome, failed error) bool {
	if found != wire.OutcomeExport {
		return r.giveBack(ctx) == nil
	}
	return isPermanent(failed) && r.resume(ctx) == nil
}

// stopsWrites says whether a rollback's claim found rows in the Durable Object that may have been written there until then.
func stopsWrites(o wire.Outcome) bool {
	return o == wire.OutcomeExport || o == wire.OutcomeMerge || o == wire.OutcomeUndo
}

// isPermanent says whether the same command again would end the same way.
func isPermanent(err error) bool {
	switch userdb.KindOf(err) {
	case userdb.Blocked, userdb.Damaged, userdb.Mismatch, userdb.NotSQLite:
		return true
	}
	return false
}

// resume gives the Durable Object back to the user when no file can be made of what it holds.
func (r *retreat) resume(ctx context.Context) error {
	c, err := r.claimAfter(ctx, r.user, wire.IntentMigrate, r.g)
	if err != nil {
		return err
	}
	m := &migration{Engine: r.Engine, user: r.user, g: c.Gen, result: &Result{User: r.user, Action: ActionMigrate}}
	defer m.forget()
	return m.resume(ctx, c.Status)
}

// finish makes the file authoritative under a claim that was granted.
func (r *retreat) finish(ctx context.Context, c claimed) error {
	r.g, r.result.Claim = c.Gen, c.Gen
	var err error
	switch c.Outcome {
	case wire.OutcomeExport:
		err = r.bringBack(ctx, c.Status)
	case wire.OutcomeLift:
		err = r.lift(ctx)
	case wire.OutcomeUndo:
		err = r.undoSplit(ctx, c.Status)
	case wire.OutcomeMerge:
		err = r.merge(ctx, c.Status)
	default:
		err = unexpectedOutcome(r.user, c.Claimed)
	}
	err = r.unlessSuperseded(ctx, "roll back", r.user, r.g, err)
	if err == nil {
		r.result.dropFlag()
	} else if userdb.KindOf(err) != userdb.Superseded {
		r.result.Open = !r.served && (stopsWrites(c.Outcome) || c.file.fenced())
	}
	return err
}
