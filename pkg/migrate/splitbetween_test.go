package migrate

import (
	"context"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// splitMeanwhile is a Durable Object that another operator splits between two looks at it.
type splitMeanwhile struct {
	Stores
	looks int
}

func (s *splitMeanwhile) Status(context.Context, userdb.UserID) (wire.Status, error) {
	if s.looks++; s.looks == 1 {
		return wire.Status{Phase: userdb.Active, Gen: 7, Lin: 7}, nil
	}
	return wire.Status{Phase: userdb.Cold, Gen: 9, Lin: 9}, nil
}

func (s *splitMeanwhile) Claim(context.Context, userdb.UserID, wire.ClaimRequest) (wire.Claimed, error) {
	return wire.Claimed{}, &userdb.Error{
		Op:   "claim",
		Kind: userdb.Conflict,
		Err:  &wire.RemoteError{Kind: wire.KindWrongPhase},
	}
}

// That is no conflict: the user is split, as is allowed.
func TestMigrateOfAUserWhoWasSplitMeanwhile(t *testing.T) {
	w := newMemory()
	w.put("alice/database.sqlite", header(), time.Now())
	e := w.engine(t)
	e.Stores = &splitMeanwhile{Stores: w}
	if r := e.Migrate(t.Context(), "alice"); r.Err() != nil || r.Outcome != result.OutcomeNothing {
		t.Errorf("%s: %v", r.Outcome, r.Err())
	}
}
