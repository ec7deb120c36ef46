package migrate

import (
	"context"
	"errors"
	"fmt"

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
}

// retreat is one user's way back into the file under one claim.
type retreat struct {
	*Engine
	user userdb.UserID
	opts RollbackOptions
	g    userdb.Claim
	// liftedFrom is the lineage whose fence is lifted without its Durable Object.
	liftedFrom userdb.Claim
	served     bool // the file is authoritative: what is left is clean-up
	result     *Result
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
		r.result.Open = c.seen.Phase == userdb.Active && userdb.KindOf(err) != userdb.Superseded
		return err
	}
	err = r.finish(ctx, c)
	if c.Outcome == wire.OutcomeExport {
		r.result.Window = r.now().Sub(begun)
	}
	if r.result.Open && isPermanent(err) {
		r.result.Open = r.resume(ctx) != nil
	}
	return err
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
	defer func() { m.file.remove() }()
	return m.resume(ctx, c.Lin)
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
	default:
		err = unexpectedOutcome(r.user, c.Claimed)
	}
	err = r.unlessSuperseded(ctx, "roll back", r.user, r.g, err)
	if err == nil {
		r.result.dropFlag()
	} else if userdb.KindOf(err) != userdb.Superseded {
		r.result.Open = !r.served && (c.Outcome == wire.OutcomeExport || c.file.fenced())
	}
	return err
}

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
	kept, err := r.keptFile(ctx, file, st.Receipt)
	kept.remove()
	if err == nil && kept == nil {
		return keptFileGone(r.user, file)
	}
	return err
}

func keptFileGone(u userdb.UserID, file fileState) error {
	return &userdb.Error{Op: "discard the writes of", Thing: string(u), Kind: userdb.Conflict,
		Err:  fmt.Errorf("the kept file is gone or is not the one that was migrated (%s is %s)", file.Key, file.word()),
		Hint: "roll back without --discard-writes: the Durable Object has everything"}
}

// nothingToDo says whether the user is already where a rollback leaves him: never claimed and unfenced, or rolled back by the newest
// claim. It also takes the one way that works without a Durable Object.
func (r *retreat) nothingToDo(ctx context.Context) (bool, error) {
	st, err := r.Stores.Status(ctx, r.user)
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
	if clean(st, file) {
		if file.absent && st.Gen == 0 {
			return false, noFile("roll back", r.user, file.Key)
		}
		r.result.Outcome, r.result.Bytes = OutcomeNothing, file.Size
		r.result.dropFlag()
		return true, nil
	}
	return false, r.maySeal(st, file)
}

// maySeal refuses what could only end with a sealed Durable Object and no file to go back to: the user is served now, and stays so.
func (r *retreat) maySeal(st wire.Status, file fileState) error {
	if st.Phase != userdb.Active || file.newest() > st.Gen {
		return nil // a newer command came between the two looks: the claim decides
	}
	if !file.absent && !file.fencedBy(st.Lin) && !file.exportedFrom(st.Lin) {
		return fenceGone(r.user, file, st)
	}
	if st.DatabaseBytes > maxPutBytes {
		return tooLargeToPut("roll back", r.user, st.DatabaseBytes)
	}
	return nil
}

// bringBack writes what the sealed Durable Object holds into the file and releases it. Only the file under the fence of this lineage, or
// none at all, may be replaced: any other means that an earlier rollback's export is already there.
func (r *retreat) bringBack(ctx context.Context, st wire.Status) error {
	for range putTries {
		file, err := r.look(ctx, r.user)
		if err != nil {
			return err
		}
		if err := file.superseded("roll back", r.user, r.g); err != nil {
			return err
		}
		if !file.fencedBy(st.Lin) && !file.absent {
			return r.releaseExported(ctx, file, st)
		}
		err = r.putBack(ctx, st, file)
		if userdb.KindOf(err) == userdb.Precondition {
			continue
		}
		if err != nil {
			return err
		}
		_, err = r.Stores.Release(ctx, r.user, r.g)
		return err
	}
	return lostRaces("roll back", r.user)
}

// releaseExported ends a rollback whose export an earlier run put in place. Such an export carries a stamp from after the lineage; a file
// without one was written by somebody else, and the sealed object may be the only copy of what it holds.
func (r *retreat) releaseExported(ctx context.Context, file fileState, st wire.Status) error {
	if !file.exportedFrom(st.Lin) {
		return fenceGone(r.user, file, st)
	}
	r.served = true
	if err := r.mayLeaveBehind(file, st); err != nil {
		return err
	}
	if _, err := r.Stores.Release(ctx, r.user, r.g); err != nil {
		return err
	}
	if err := r.lift(ctx); err != nil {
		return err
	}
	r.result.Outcome = OutcomeExported
	return nil
}

// mayLeaveBehind asks for a word before a Durable Object is emptied whose fence was lifted without it: it may have taken writes that no file has.
func (r *retreat) mayLeaveBehind(file fileState, st wire.Status) error {
	if userdb.MetadataLifted(file.Object.Metadata) != st.Lin || st.Writes == st.WritesAtActivation || r.opts.DiscardWrites {
		return nil
	}
	return &userdb.Error{Op: "release", Thing: string(r.user), Kind: userdb.Conflict,
		Err:  fmt.Errorf("the file went back without its Durable Object, which has %d write transactions that no file has; it is sealed now, and keeps them", st.Writes-st.WritesAtActivation),
		Hint: "look at them first; `dbmigrate rollback --discard-writes` leaves them behind for good"}
}

// putBack makes one attempt to put the file in place of the version just seen.
func (r *retreat) putBack(ctx context.Context, st wire.Status, seen fileState) error {
	// Computed anew: what was written past the Durable Object's own code counts too.
	report, err := r.Stores.FreshDigest(ctx, r.user)
	if err != nil {
		return err
	}
	if report.Gen != r.g {
		// An absent file shows no mark, so only the Durable Object can say that a newer command owns the user.
		return &userdb.Error{Op: "roll back", Thing: string(r.user), Kind: userdb.Superseded,
			Err: fmt.Errorf("claim %d was superseded by claim %d", r.g, report.Gen), Hint: "another command owns this user now; nothing more was changed"}
	}
	file, outcome, err := r.fileToPutBack(ctx, seen, st, *report.Digest)
	if err != nil {
		return err
	}
	defer file.remove()
	if err := r.putStamped(ctx, file, seen); err != nil {
		return err
	}
	r.served = true
	r.result.Outcome, r.result.Bytes = outcome, file.Size
	return nil
}

// fileToPutBack chooses the kept bytes when they are still what the user has (or all that he shall have), and builds the file from the
// Durable Object otherwise.
func (r *retreat) fileToPutBack(ctx context.Context, seen fileState, st wire.Status, digest wire.DatabaseDigest) (*spool, Outcome, error) {
	receipt := st.Receipt
	// A write may leave every row as it was and still change something that no digest covers: an option of a full-text index.
	unchanged := receipt != nil && receipt.Digest.Database == digest.Database && st.Writes == st.WritesAtActivation
	if unchanged || r.opts.DiscardWrites {
		kept, err := r.keptFile(ctx, seen, receipt)
		if err != nil {
			return nil, "", err
		}
		if kept != nil && unchanged {
			return kept, OutcomeRestored, nil
		}
		if kept != nil {
			return kept, OutcomeDiscarded, nil
		}
	}
	if r.opts.DiscardWrites && !unchanged {
		return nil, "", keptFileGone(r.user, seen)
	}
	file, err := r.exportFile(ctx, r.user, digest)
	return file, OutcomeExported, err
}

// keptFile is the fenced file, if it is there and bit for bit the one that was migrated; nil otherwise.
func (r *retreat) keptFile(ctx context.Context, seen fileState, receipt *wire.Receipt) (*spool, error) {
	if seen.what != userdb.SQLiteFile || receipt == nil {
		return nil, nil
	}
	file, err := r.download(ctx, r.user)
	if err != nil {
		return nil, err
	}
	switch {
	case file.ETag != seen.ETag:
		file.remove()
		return nil, &userdb.Error{Op: "read", Thing: string(seen.Key), Kind: userdb.Precondition, Err: errors.New("it changed")}
	case file.sha != receipt.SourceSHA:
		file.remove()
		return nil, nil
	}
	return file, nil
}

// putStamped puts the file, unfenced and stamped with our claim, in place of the version seen. Whether a failed PUT took effect cannot
// be known, so the file itself is asked.
func (r *retreat) putStamped(ctx context.Context, file *spool, seen fileState) error {
	begun := r.now()
	_, err := r.replace(ctx, file, seen, userdb.Mark{Kind: userdb.StampMark, Stamp: r.g, LiftedFrom: r.liftedFrom})
	if err != nil {
		err = r.stampLanded(ctx, seen, err)
	}
	r.observe(Event{User: r.user, Stage: StagePut, Bytes: file.Size, Took: r.now().Sub(begun)})
	return err
}

func (r *retreat) stampLanded(ctx context.Context, seen fileState, putErr error) error {
	if userdb.KindOf(putErr) == userdb.ProtocolError {
		return putErr // R2 may hold other bytes than were sent: the mark alone proves nothing
	}
	file, err := r.look(ctx, r.user)
	if err != nil {
		return fmt.Errorf("%w; and the file cannot be looked at: %w", putErr, err)
	}
	if err := file.superseded("roll back", r.user, r.g); err != nil {
		return err
	}
	if !file.fenced() && file.Stamp == r.g {
		return nil
	}
	if file.ETag != seen.ETag {
		return &userdb.Error{Op: "roll back", Thing: string(r.user), Kind: userdb.Precondition, Err: putErr}
	}
	return putErr
}

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
