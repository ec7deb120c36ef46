package migrate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// askedBack is the Durable Object of a user with requests for rows. It forgets that when a split is done,
// and with a claim for a move as a whole (worker/src/claims/claim.ts).
type askedBack struct {
	migrate.Stores
	notes  []wire.Thaw
	claims int
	fail   int // the number of the claim that does not arrive
}

func (a *askedBack) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	st, err := a.Stores.Status(ctx, u)
	st.Thaws = int64(len(a.notes))
	return st, err
}

func (a *askedBack) Thaws(context.Context, userdb.UserID) ([]wire.Thaw, error) { return a.notes, nil }

func (a *askedBack) Claim(ctx context.Context, u userdb.UserID, req wire.ClaimRequest) (wire.Claimed, error) {
	if a.claims++; a.claims == a.fail {
		return wire.Claimed{}, &userdb.Error{Op: "claim", Kind: userdb.Unreachable, Err: errors.New("no answer")}
	}
	c, err := a.Stores.Claim(ctx, u, req)
	if err == nil && req.Intent == wire.IntentMigrate && c.Outcome == wire.OutcomeImport {
		a.notes = nil
	}
	c.Thaws = int64(len(a.notes))
	return c, err
}

func (a *askedBack) Activate(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	before, err := a.Stores.Status(ctx, u)
	if err != nil {
		return before, err
	}
	st, err := a.Stores.Activate(ctx, u, g)
	if err == nil && before.Phase == userdb.SplitReady {
		a.notes = nil
	}
	return st, err
}

// TestThawedRowsAreArchivedAgain: a request holds for the command that fulfils it. The next split goes by
// the policy alone, also where the command brought every cold row home and no row was left to split by;
// and also where that command was cut off at any of its claims.
func TestThawedRowsAreArchivedAgain(t *testing.T) {
	key := func(n int64) wire.Key { return wire.Key{{Class: wire.Integer, Int: n}} }
	for _, c := range []struct {
		name    string
		where   string
		keys    []wire.Key
		outcome result.Outcome
	}{
		{"some of them", "a < 3", []wire.Key{key(1)}, result.OutcomeSplit},
		{"all of them", "a < 3", []wire.Key{key(0), key(1), key(2)}, result.OutcomeMerged},
	} {
		for fail := range 6 {
			t.Run(c.name, func(t *testing.T) {
				w, _, _ := oneUser(t, "CREATE TABLE kept(a INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO kept VALUES (0), (1), (2), (3)")
				stores := &askedBack{Stores: w.Objects}
				e := w.Engine("run", w.Bucket, stores, w.Objects)
				opts := migrate.SplitOptions{Policy: policyFor(t, "kept", c.where), At: time.Unix(1_800_000_000, 0)}
				if r := e.Split(t.Context(), alice, opts); r.Outcome != result.OutcomeSplit {
					t.Fatalf("%s: %v", r.Outcome, r.Err())
				}
				stores.notes = []wire.Thaw{{Table: "kept", Columns: []string{"a"}, Keys: c.keys}}
				stores.claims, stores.fail = 0, fail
				back := opts
				back.Thaw, back.Requested = true, true
				r := e.Split(t.Context(), alice, back)
				if fail == 0 && r.Outcome != c.outcome {
					t.Fatalf("%s (%s): %v", r.Outcome, r.Reason, r.Err())
				}
				stores.fail = 0
				for range 2 { // one that ends what was cut off, if it was, and one by the policy alone
					if r = e.Split(t.Context(), alice, opts); r.Err() != nil || r.Open {
						t.Fatalf("%s, open %t: %v", r.Outcome, r.Open, r.Err())
					}
				}
				digest, err := w.Objects.FreshDigest(t.Context(), alice)
				if err != nil || coldRowsOf(digest, "kept") != 3 || len(stores.notes) > 0 {
					t.Errorf("%d rows are cold after %s (%s), %d notes: %v", coldRowsOf(digest, "kept"), r.Outcome, r.Reason, len(stores.notes), err)
				}
			})
		}
	}
}

func coldRowsOf(report wire.DigestReport, table string) int64 {
	if report.Digest == nil {
		return 0
	}
	for _, t := range report.Digest.Tables {
		if t.Name == table {
			return t.Rows
		}
	}
	return 0
}
