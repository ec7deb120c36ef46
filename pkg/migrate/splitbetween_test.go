package migrate

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// between is a Durable Object with which another operator goes on between two looks, or between a look and
// the claim that follows it.
type between struct {
	Stores
	phases []userdb.Phase // one for each look; the last one refuses the claim and stays
	same   bool           // all under one claim
	looks  int
}

func (b *between) Status(context.Context, userdb.UserID) (wire.Status, error) {
	n := min(b.looks, len(b.phases)-1)
	b.looks++
	claim := userdb.Claim(7)
	if !b.same {
		claim += userdb.Claim(n)
	}
	return wire.Status{Phase: b.phases[n], Gen: claim, Lin: userdb.Lineage(claim)}, nil
}

func (b *between) Claim(context.Context, userdb.UserID, wire.ClaimRequest) (wire.Claimed, error) {
	b.looks = len(b.phases)
	return wire.Claimed{}, &userdb.Error{
		Op:   "claim",
		Kind: userdb.Conflict,
		Err:  &wire.RemoteError{Kind: wire.KindWrongPhase},
	}
}

// Where the other one ended is no conflict: either nothing is left to do, or the command can be run again.
func TestAnotherOperatorGoesOnBetweenLookAndClaim(t *testing.T) {
	for name, c := range map[string]struct {
		store   between
		split   bool
		outcome result.Outcome
		kinds   []userdb.Kind
	}{
		"migrate, split between two looks": {
			store:   between{phases: []userdb.Phase{userdb.Active, userdb.Cold}},
			outcome: result.OutcomeNothing,
		},
		"migrate, a split ends before the claim": {
			store:   between{phases: []userdb.Phase{userdb.Splitting, userdb.Splitting, userdb.Cold}, same: true},
			outcome: result.OutcomeNothing,
		},
		"migrate, a split is sealed before the claim": {
			store: between{phases: []userdb.Phase{userdb.Splitting, userdb.Splitting, userdb.SplitReady}, same: true},
			kinds: []userdb.Kind{userdb.Conflict}, // it may have been left open, and says so
		},
		"split, a migrate ends before the claim": {
			store: between{phases: []userdb.Phase{userdb.SplitReady, userdb.SplitReady, userdb.Active}, same: true},
			split: true,
			kinds: []userdb.Kind{userdb.Superseded},
		},
		"migrate, refused in a phase that takes claims": {
			store: between{phases: []userdb.Phase{userdb.Importing, userdb.Importing, userdb.Ready}, same: true},
			kinds: []userdb.Kind{userdb.Superseded},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newMemory()
			w.put("alice/database.sqlite", oneTable(t), time.Now())
			e := w.engine(t)
			c.store.Stores = w
			e.Stores, e.Limits = &c.store, wire.DefaultLimits
			r := e.Migrate(t.Context(), "alice")
			if c.split {
				r = e.Split(t.Context(), "alice", SplitOptions{})
			}
			if kind := userdb.KindOf(r.Err()); r.Err() != nil && !slices.Contains(c.kinds, kind) ||
				r.Err() == nil && (r.Outcome != c.outcome || c.kinds != nil) {
				t.Errorf("%s, %s: %v", r.Outcome, kind, r.Err())
			}
		})
	}
}

func oneTable(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "one.sqlite")
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.Exec("CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
	}
	if err == nil {
		err = db.Close()
	}
	content, readErr := os.ReadFile(path)
	if err != nil || readErr != nil {
		t.Fatal(err, readErr)
	}
	return content
}
