package migrate

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// unlessSuperseded looks for another command behind a contradiction. Reads of the Durable Object (digest, export) carry no claim, so they may
// show what a newer command is doing; that is no conflict, and says nothing about the user's data. Other errors stay as they are.
func (e *Engine) unlessSuperseded(ctx context.Context, op string, u userdb.UserID, g userdb.Claim, err error) error {
	switch userdb.KindOf(err) {
	case userdb.Conflict, userdb.Mismatch, userdb.Refused:
	default:
		return err
	}
	st, statusErr := e.Stores.Status(ctx, u)
	if statusErr != nil || st.Gen == g {
		return err
	}
	return supersededBy(op, u, g, st.Gen, err)
}

func supersededBy(op string, u userdb.UserID, g, newer userdb.Claim, seen error) error {
	return &userdb.Error{Op: op, Thing: string(u), Kind: userdb.Superseded,
		Err:  fmt.Errorf("claim %d was superseded by claim %d, and what was seen may be its work: %w", g, newer, seen),
		Hint: "another command works on this user; nothing more was changed, run it again"}
}
