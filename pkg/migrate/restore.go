package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// RestoreOptions change where the user is afterwards.
type RestoreOptions struct {
	// StayInR2 leaves a user in R2 who was in the Durable Object. Otherwise that user migrates again.
	StayInR2 bool
}

// ScratchPath names a file in the run's own folder that does not exist yet.
func (e *Engine) ScratchPath() (string, error) { return e.source().NewPath() }

// Restore gives the user the content of the SQLite file at path, which is in the scratch folder and is the
// command's own. It is a rollback with another file in place of the kept one: claim, seal, PUT, release.
// What is replaced is kept under left-behind first, proved. A user who was in the Durable Object migrates
// again.
func (e *Engine) Restore(ctx context.Context, u userdb.UserID, path string, opts RestoreOptions) result.Result {
	started := e.now()
	r := &retreat{
		Engine: e,
		user:   u,
		fences: e.announcer(u),
		opts:   RollbackOptions{DiscardWrites: true},
		result: &result.Result{User: u, Action: result.ActionRestore},
	}
	inObject, err := r.restore(ctx, path)
	err = e.endOnDisk(r.result, err)
	e.WriteProof.settle()
	got := r.result.End(e.now().Sub(started), err)
	if err == nil && inObject && !opts.StayInR2 {
		got = e.backIntoObject(ctx, got)
		got.Took = e.now().Sub(started)
	}
	return got
}

// makeWhole joins both halves of a split user first, as a rollback does: the file that is given replaces
// both. What cannot be joined is refused, and stays as it is.
func (r *retreat) makeWhole(ctx context.Context) error {
	joined := r.Rollback(ctx, r.user, RollbackOptions{})
	r.result.Open, r.result.Flag = joined.Open, joined.Flag
	if err := joined.Err(); err != nil {
		return fmt.Errorf("make the user whole first: %w", err)
	}
	r.result.WasSplit = true
	r.result.AddReason("was split, and is whole in R2 now")
	return nil
}

// backIntoObject migrates a restored user again. Where that fails the file serves, with what was restored.
func (e *Engine) backIntoObject(ctx context.Context, restored result.Result) result.Result {
	m := e.Migrate(ctx, restored.User)
	restored.AddReason("in R2 first, then moved into the Durable Object again")
	restored.Open, restored.Window = m.Open, restored.Window+m.Window
	if err := m.Err(); err != nil {
		restored.Flag = m.Flag
		if m.Flag.Empty() {
			restored.DropFlag()
		}
		return restored.With(fmt.Errorf("the file serves with what was restored, but the user could not be moved again: %w", err))
	}
	restored.Claim, restored.Flag, restored.Receipt, restored.ReceiptKept = m.Claim, m.Flag, m.Receipt, m.ReceiptKept
	return restored
}

// restore says whether the Durable Object had served the user.
func (r *retreat) restore(ctx context.Context, path string) (inObject bool, err error) {
	if _, err := userdb.ParseUserID(string(r.user)); err != nil {
		return false, err
	}
	if r.instead, err = r.toRestore(ctx, path); err != nil {
		return false, err
	}
	st, err := r.Stores.Status(ctx, r.user)
	if err != nil {
		return false, err
	}
	if st.Phase.Split() {
		if err := r.makeWhole(ctx); err != nil {
			return false, err
		}
		if st, err = r.Stores.Status(ctx, r.user); err != nil {
			return false, err
		}
	}
	if r.seen, err = r.look(ctx, r.user); err != nil {
		return false, err
	}
	inObject = st.Phase == userdb.Active || st.Phase == userdb.Sealed
	r.stops, r.need = true, st.DatabaseBytes+2*r.seen.Size+r.instead.Size
	if err := userfile.MaySeal(r.user, st, r.seen); err != nil {
		return false, err
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	release, err := r.canReplace(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	ctx = context.WithoutCancel(ctx)
	begun := r.now()
	c, err := r.claim(ctx, r.user, wire.IntentRollback)
	if err != nil {
		r.result.Open = c.seen.Phase == userdb.Active && userdb.KindOf(err) != userdb.Superseded
		return false, err
	}
	if c.Phase.Split() {
		return false, r.goesBack(ctx, c, splitNotRestored(r.user, c.Status))
	}
	return inObject, r.end(ctx, c, begun)
}

// canReplace proves, before anything stops, that the file can be written and the copies have room.
func (r *retreat) canReplace(ctx context.Context) (release func(), err error) {
	if err := r.mayWrite(ctx); err != nil {
		return nil, err
	}
	if err := r.writer().SameBucket(ctx, r.user, r.seen); err != nil {
		return nil, err
	}
	if !r.seen.Absent {
		if err := r.writer().Travels(ctx, r.user, r.seen); err != nil {
			return nil, fmt.Errorf("nothing was changed, because the object's metadata could not be kept: %w", err)
		}
	}
	return r.hasRoom()
}

// toRestore checks the given file as a migrate checks the user's.
func (r *retreat) toRestore(ctx context.Context, path string) (*userfile.Copy, error) {
	file, err := r.source().Adopt(r.user, path)
	if err != nil {
		return nil, err
	}
	if file.Size > userfile.MaxPutBytes {
		return nil, userfile.TooLargeToPut("restore", r.user, file.Size)
	}
	if err := r.source().Preflight(ctx, r.user, file); err != nil {
		return nil, err
	}
	r.result.Warnings = file.Warnings
	digest, err := file.Digest(ctx)
	if err != nil {
		return nil, err
	}
	r.result.Digest, r.result.Tables = digest.Database, len(digest.Tables)
	for _, t := range digest.Tables {
		r.result.Rows += t.Rows
	}
	return file, nil
}

func splitNotRestored(u userdb.UserID, st wire.Status) error {
	return &userdb.Error{Op: "restore", Thing: string(u), Kind: userdb.Blocked,
		Err:  fmt.Errorf("another command has split the user meanwhile (%s)", st.Phase),
		Hint: "run the command again when no other command moves the user"}
}

// replaceFile puts the given file in place of the one that serves, under a claim that found nothing in the
// Durable Object. A fence PUT of a dead migrate meets a changed ETag.
func (r *retreat) replaceFile(ctx context.Context, at position) (*wire.Status, error) {
	// Where the application saved meanwhile, that version is kept, too.
	if err := orLookAgain(r.replaceOnce(ctx, at.file)); err != nil {
		return nil, err
	}
	r.served = true
	r.result.Outcome, r.result.Bytes = result.OutcomeReplaced, r.instead.Size
	return nil, nil
}

func (r *retreat) replaceOnce(ctx context.Context, seen userfile.Version) error {
	if !seen.Absent && !seen.Tombstone() {
		if err := r.keepReplaced(ctx, seen); err != nil {
			return err
		}
	}
	return r.putStamped(ctx, r.instead, seen, userfile.OtherUnderStamp)
}

// keepReplaced copies the version that is about to be replaced, byte for byte.
func (r *retreat) keepReplaced(ctx context.Context, seen userfile.Version) error {
	file, err := r.download(ctx, r.user)
	if userdb.KindOf(err) == userdb.NotFound || err == nil && file.ETag != seen.ETag {
		file.Remove()
		return &userdb.Error{Op: "read", Thing: string(seen.Key), Kind: userdb.Precondition, Err: errors.New("it changed")}
	}
	if err != nil {
		return err
	}
	defer file.Remove()
	// The Durable Object's rows, where it had any, are beside it.
	key := userdb.ObjectKey(fmt.Sprintf("%s%s/%d-file.sqlite", leftBehindFolder, r.user, r.g))
	opts := userdb.PutOptions{ContentType: userfile.ContentType}
	if seen.What == userdb.SQLiteFile {
		err = file.PutUnmarkedAt(ctx, r.Files, key, opts)
	} else {
		err = file.PutAt(ctx, r.Files, key, opts)
	}
	switch {
	case err != nil:
	case r.result.LeftBehind == "" || r.result.LeftBehind == key:
		r.result.LeftBehind = key
	default:
		r.result.AddReason("the file that was replaced is " + string(key))
	}
	return err
}

// RestorePlan is what a restore would do to one user.
type RestorePlan struct {
	User userdb.UserID `json:"user"`
	// ServedBy is who serves now; "none": the user is new.
	ServedBy string `json:"servedBy"`
	// BytesNow and Bytes are the sizes of what is replaced and of what comes.
	BytesNow int64  `json:"bytesNow"`
	Bytes    int64  `json:"bytes"`
	Rows     int64  `json:"rows"`
	Tables   int    `json:"tables"`
	Digest   string `json:"digest"`
	// Same says that the Durable Object holds the same rows already.
	Same    bool   `json:"same,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// PlanRestore looks at the file at path and at the user, and changes nothing.
func (e *Engine) PlanRestore(ctx context.Context, u userdb.UserID, path string) (RestorePlan, error) {
	plan := RestorePlan{User: u}
	r := &retreat{Engine: e, user: u, result: &result.Result{User: u, Action: result.ActionRestore}}
	file, err := r.toRestore(ctx, path)
	if err != nil {
		return plan, err
	}
	plan.Bytes, plan.Rows, plan.Tables, plan.Digest = file.Size, r.result.Rows, r.result.Tables, r.result.Digest
	st, err := e.Stores.Status(ctx, u)
	if err != nil {
		return plan, err
	}
	if err := e.TryMerge(ctx, u); err != nil {
		return plan, fmt.Errorf("make the user whole first: %w", err)
	}
	now, err := e.look(ctx, u)
	if err != nil {
		return plan, err
	}
	serves, problem, _ := userfile.Serves(st, now)
	plan.ServedBy, plan.Problem, plan.BytesNow = string(serves), problem, now.Size
	if now.Absent && st.Gen == 0 {
		plan.ServedBy = "none"
	}
	if st.Phase.Split() {
		plan.BytesNow += st.DatabaseBytes
	}
	if st.Phase == userdb.Active || st.Phase == userdb.Sealed {
		plan.BytesNow = st.DatabaseBytes
		report, err := e.Stores.FreshDigest(ctx, u)
		if err != nil {
			return plan, err
		}
		plan.Same = report.Digest.Database == plan.Digest
	}
	return plan, e.sides().StoreNotSetBack(ctx, u, st, now)
}
