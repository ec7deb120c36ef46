package migrate

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// DeletionFolder holds a receipt of each deletion. It names nobody.
const DeletionFolder = userdb.ReservedPrefix + "forgotten/"

// DeletionReceipt says that one user was deleted, and how much. Nothing in it leads to the user.
type DeletionReceipt struct {
	Deletion string `json:"deletion"` // random
	At       int64  `json:"at"`       // Unix milliseconds
	Run      string `json:"run"`
	Version  string `json:"version"`
	Objects  int    `json:"objects"` // R2 objects, the file included
	Bytes    int64  `json:"bytes"`   // theirs, and of the Durable Object
}

// ForgetOptions say where else a user has left something.
type ForgetOptions struct {
	// ArchivePrefix is where gc archived files; "": nowhere.
	ArchivePrefix string
}

// forgetting is one user's deletion under one claim.
type forgetting struct {
	*Engine
	user   userdb.UserID
	opts   ForgetOptions
	g      userdb.Claim // the newest, ours
	id     string       // of the receipt
	result *result.Result
}

// Forget deletes everything of a user, from whatever state earlier commands left (docs/cutover.md, "Deleting
// a user"). Nothing brings it back. The flags are not deleted: the caller does that in bulk.
func (e *Engine) Forget(ctx context.Context, u userdb.UserID, opts ForgetOptions) result.Result {
	started := e.now()
	f := &forgetting{
		Engine: e,
		user:   u,
		opts:   opts,
		result: &result.Result{User: u, Action: result.ActionForget},
	}
	err := f.run(ctx)
	return f.result.End(e.now().Sub(started), err)
}

func (f *forgetting) run(ctx context.Context) error {
	traces, err := f.Traces(ctx, f.user, f.opts.ArchivePrefix)
	if err != nil {
		return err
	}
	if err := f.writer().SameBucket(ctx, f.user, traces.File); err != nil {
		f.result.StopsRun = userfile.IsOtherBucket(err)
		return err
	}
	f.result.Outcome, f.result.Bytes = result.OutcomeNothing, traces.Bytes()
	f.result.Flag = result.FlagChange{Delete: true, DeleteSplit: true}
	if traces.None() {
		return nil
	}
	if f.id, err = f.receiptID(traces.File); err != nil {
		return err
	}
	f.result.Outcome = result.OutcomeForgotten
	if traces.atRest() {
		return f.deleteKept(ctx, traces)
	}
	return f.fromSides(ctx, traces)
}

// fromSides deletes a user who has something on a side. The object stays in IMPORTING until R2 has said that
// the file is gone. So no router makes a new file before that, which a repeated delete would hit.
func (f *forgetting) fromSides(ctx context.Context, traces Traces) error {
	// From the claim on nobody serves the user, so an interrupt does not separate it from the rest.
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	claimed, err := f.claimWhole(ctx)
	if err != nil {
		return err
	}
	f.result.Open = true
	if err := f.bury(ctx); err != nil {
		return err
	}
	if claimed.Phase != userdb.Importing {
		if err := f.empty(ctx, claimed.Phase); err != nil {
			return err
		}
	}
	if err := f.deleteKept(ctx, traces); err != nil {
		return err
	}
	if err := f.deleteFile(ctx); err != nil {
		return err
	}
	ended, err := f.claimOnce(ctx, wire.IntentRollback)
	if err != nil {
		return err
	}
	f.result.Open = false
	if ended.Clearing {
		return notCleared(f.user)
	}
	return nil
}

// notCleared is of a large object: nothing reads what is left of it, but it is still there.
func notCleared(u userdb.UserID) error {
	return &userdb.Error{Op: "delete", Thing: string(u), Kind: userdb.Unreachable,
		Err:  errors.New("the Durable Object has given its content up, and did not delete it to the end"),
		Hint: "run `dbmigrate forget` again"}
}

// receiptID goes on with the receipt of a deletion that was begun.
func (f *forgetting) receiptID(file userfile.Version) (string, error) {
	if file.Deletion != "" {
		return file.Deletion, nil
	}
	id := make([]byte, 16)
	_, err := io.ReadFull(f.random(), id)
	return hex.EncodeToString(id), err
}

// claimWhole stops every earlier command, and the object's writes. An object without rows goes to IMPORTING
// at once. A user with a foreign mark, or with an object that was set back, can be deleted too.
func (f *forgetting) claimWhole(ctx context.Context) (claimed wire.Claimed, err error) {
	const tries = 5
	for range tries {
		st, statusErr := f.Stores.Status(ctx, f.user)
		if statusErr != nil {
			return claimed, statusErr
		}
		if err := f.sides().SamePlace(f.user, st.Receipt); err != nil {
			return claimed, err
		}
		intent := wire.IntentRollback
		if userfile.HoldsNothing(st.Phase) {
			intent = wire.IntentMigrate
		}
		claimed, err = f.claimAfter(ctx, f.user, intent, st.Gen)
		if err == nil {
			f.g, f.result.Claim = claimed.Gen, claimed.Gen
			return claimed, nil
		}
		if userdb.KindOf(err) != userdb.Superseded {
			return claimed, err
		}
	}
	return claimed, fmt.Errorf("delete %s: %w", f.user, err)
}

// bury puts our tombstone in place of whatever the file is. From its commit on no side has the authority, and
// no PUT of an earlier command can take effect: each is conditional on a version that is gone.
func (f *forgetting) bury(ctx context.Context) error {
	stone, err := userdb.DeletionStone(f.user, f.g, f.id)
	if err != nil {
		return err
	}
	for range putTries {
		seen, err := f.source().Look(ctx, f.user)
		if err != nil {
			return err
		}
		if seen.Deletion != "" && seen.Non == stone.Non {
			return nil // put by the attempt before
		}
		if err := f.demandNewest(ctx); err != nil {
			return err
		}
		_, err = f.writer().FenceAbsent(ctx, seen, stone)
		if err == nil {
			return nil
		}
		if userdb.KindOf(err) != userdb.Precondition {
			return f.buried(ctx, stone, err)
		}
	}
	return lostRaces("delete", f.user)
}

// buried says whether a PUT took effect although its answer was lost.
func (f *forgetting) buried(ctx context.Context, stone userdb.Tombstone, putErr error) error {
	now, err := f.source().Look(ctx, f.user)
	if err == nil && now.Deletion != "" && now.Non == stone.Non {
		return nil
	}
	return putErr
}

// demandNewest stops this command where a later one has claimed the user. It comes between a look at the file
// and the PUT on condition of that look: so nothing is replaced that a router made since.
func (f *forgetting) demandNewest(ctx context.Context) error {
	st, err := f.Stores.Status(ctx, f.user)
	if err != nil || st.Gen == f.g {
		return err
	}
	return &userdb.Error{Op: "delete", Thing: string(f.user), Kind: userdb.Superseded,
		Err:  fmt.Errorf("claim %d was superseded by claim %d", f.g, st.Gen),
		Hint: "another command owns this user now; run `dbmigrate forget` again"}
}

// empty takes all content out of the object, and keeps it from being EMPTY while the file goes.
func (f *forgetting) empty(ctx context.Context, phase userdb.Phase) error {
	if phase == userdb.ColdSealed {
		if _, err := f.Stores.Merge(ctx, f.user, f.g); err != nil {
			return err
		}
	}
	if _, err := f.Stores.Release(ctx, f.user, f.g); err != nil {
		return err
	}
	_, err := f.claimOnce(ctx, wire.IntentMigrate)
	return err
}

// claimOnce takes a further claim, unless another command came between.
func (f *forgetting) claimOnce(ctx context.Context, intent wire.Intent) (wire.Claimed, error) {
	claimed, err := f.claimAfter(ctx, f.user, intent, f.g)
	if err == nil {
		f.g, f.result.Claim = claimed.Gen, claimed.Gen
	}
	return claimed, err
}

// deleteKept deletes what commands have kept, and then leaves the receipt.
func (f *forgetting) deleteKept(ctx context.Context, traces Traces) error {
	for _, o := range traces.Kept {
		if err := f.Files.Delete(ctx, o.Key); err != nil {
			return err
		}
	}
	if traces.File.Absent && len(traces.Kept) == 0 && userfile.HoldsNothing(traces.Object.Phase) {
		return nil // the rest of a deletion that has its receipt
	}
	receipt := DeletionReceipt{
		Deletion: f.id,
		At:       f.now().UnixMilli(),
		Run:      f.Run,
		Version:  f.Version,
		Objects:  len(traces.Kept),
		Bytes:    traces.Bytes(),
	}
	if !traces.File.Absent {
		receipt.Objects++
	}
	key := userdb.ObjectKey(DeletionFolder + f.id + ".json")
	// A deletion that was cut off behind its receipt has counted more than is left now.
	err := reserved.Put(ctx, f.Files, key, receipt, userdb.PutOptions{IfNoneMatch: true})
	if userdb.KindOf(err) == userdb.Precondition {
		return nil
	}
	return err
}

// deletePauses come behind a request for the tombstone that may have had no effect. R2 takes one write a
// second for a key.
var deletePauses = backoff.Growth{First: time.Second, Most: 8 * time.Second}

// deleteFile deletes the tombstone. R2 has no conditional delete. So it comes behind the tombstone, which
// nobody writes over, and while the object keeps routers from making a new file. No request is sent again
// without a look: where the answer to one is lost, another deletion may end, and the user be a new one. One
// that is still under way then can hit that user all the same (docs/cutover.md says for how long).
func (f *forgetting) deleteFile(ctx context.Context) error {
	for try := 1; ; try++ {
		if err := f.demandNewest(ctx); err != nil {
			return err
		}
		failed := f.Files.DeleteOnce(ctx, f.Layout.Key(f.user))
		if failed != nil && !passes(failed) {
			return failed
		}
		if failed != nil && !pause(ctx, deletePauses.After(try)) {
			return ctx.Err()
		}
		file, err := f.source().Look(ctx, f.user)
		if err != nil || file.Absent {
			return err
		}
		if try == putTries {
			return cmp.Or(failed, lostRaces("delete", f.user))
		}
		if file.Deletion != "" {
			continue
		}
		// A request of a dead command arrived late, or an old path saved: that goes, too.
		if err := f.bury(ctx); err != nil {
			return err
		}
	}
}

// passes says of a failed request whether another one, a moment later, may do better.
func passes(failed error) bool {
	kind := userdb.KindOf(failed)
	return kind == userdb.Unreachable || kind == userdb.Throttled
}
