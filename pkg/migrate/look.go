package migrate

import (
	"context"
	"encoding/hex"
	"errors"
	"io"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// claimed is a claim and what both sides looked like when it was made.
type claimed struct {
	wire.Claimed
	seen wire.Status
	file userfile.Version
}

// fromClean says whether no earlier command can have left anything behind or under way. Either the user was
// never claimed, or the newest claim was a rollback with its stamp in the file.
func (c claimed) fromClean() bool { return userfile.Clean(c.seen, c.file) }

// claim takes the user for one command; with an error it still tells what was seen, unless others were
// faster. It repeats when another operator's claim came between, since each repetition starts from what that
// one left. The file must not carry a number that the Durable Object never gave out: then its storage was
// lost or set back, and what it held may be gone.
func (e *Engine) claim(ctx context.Context, u userdb.UserID, intent wire.Intent) (claimed, error) {
	const tries = 5
	var err error
	for range tries {
		var c claimed
		if c.seen, err = e.Stores.Status(ctx, u); err != nil {
			return claimed{}, err
		}
		if c.file, err = e.look(ctx, u); err != nil {
			return claimed{}, err
		}
		if err = e.sides().SamePlace(u, c.seen.Receipt); err != nil {
			return claimed{}, err
		}
		if err = e.sides().StoreNotSetBack(ctx, u, c.seen, c.file); err != nil {
			return claimed{}, err
		}
		if err = e.mayMove(u, intent, c); err != nil {
			return c, err
		}
		if c.Claimed, err = e.claimAfter(ctx, u, intent, c.seen.Gen); err == nil {
			return c, nil
		}
		if userdb.KindOf(err) != userdb.Superseded {
			return c, err
		}
	}
	return claimed{}, err
}

// mayMove refuses a claim to move a user where neither side has anything. The user may have been deleted
// since the file was downloaded, and no copy of it may go into the object again. A rollback ends what was
// left open.
func (e *Engine) mayMove(u userdb.UserID, intent wire.Intent, c claimed) error {
	switch {
	case intent == wire.IntentRollback || !c.file.Absent || !userfile.HoldsNothing(c.seen.Phase):
		return nil
	case userfile.Waits(c.seen.Phase):
		return userfile.Missing("migrate", u, c.file.Key, c.seen)
	}
	return userfile.NoFile("migrate", u, c.file.Key)
}

// claimAfter claims on condition that seen is still the newest claim. Superseded means that another
// operator's came between. The request's id makes a repetition of it, after a lost answer, the same claim.
func (e *Engine) claimAfter(
	ctx context.Context,
	u userdb.UserID,
	intent wire.Intent,
	seen userdb.Claim,
) (wire.Claimed, error) {
	id := make([]byte, 16)
	if _, err := io.ReadFull(e.random(), id); err != nil {
		return wire.Claimed{}, err
	}
	return e.claimWith(ctx, u, wire.ClaimRequest{Intent: intent, Seen: seen, ID: hex.EncodeToString(id)})
}

// claimWith sends one claim. The same again is the same claim, as long as no other came between.
func (e *Engine) claimWith(
	ctx context.Context,
	u userdb.UserID,
	req wire.ClaimRequest,
) (wire.Claimed, error) {
	begun := e.now()
	c, err := e.Stores.Claim(ctx, u, req)
	e.observe(result.Event{User: u, Stage: result.StageClaim, Took: e.now().Sub(begun)})
	var remote *wire.RemoteError
	if errors.As(err, &remote) && remote.Kind == wire.KindClaimConflict {
		return c, claimedByOther(u, err)
	}
	return c, err
}

func claimedByOther(u userdb.UserID, err error) error {
	return &userdb.Error{Op: "claim", Thing: string(u), Kind: userdb.Superseded, Err: err,
		Hint: "another operator is working on this user right now; run the command again later"}
}
