package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// undigested are Durable Objects with rows that cannot be digested.
type undigested struct{ migrate.Stores }

func (undigested) FreshDigest(context.Context, userdb.UserID) (wire.DigestReport, error) {
	return wire.DigestReport{}, &userdb.Error{
		Op:   "digest",
		Kind: userdb.Refused,
		Err:  errors.New("cannot be digested"),
	}
}

// saveWithoutMetadata saves the file as an old path does that knows nothing of metadata.
func (x *walk) saveWithoutMetadata() {
	x.Helper()
	key := x.w.Layout.Key(alice)
	var body bytes.Buffer
	o, err := x.w.Bucket.Get(x.Context(), key, "", &body)
	if err == nil {
		_, err = x.w.Bucket.Put(
			x.Context(),
			key,
			bytes.NewReader(body.Bytes()),
			int64(body.Len()),
			userdb.PutOptions{IfMatch: o.ETag},
		)
	}
	if err != nil {
		x.Fatal(err)
	}
}

// TestWritesThatNoFileHasAreAskedFor: a fence that was lifted alone leaves acknowledged writes in the Durable
// Object. No command empties it without confirmation, whatever number the fence had and whatever saved since.
func TestWritesThatNoFileHasAreAskedFor(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		for _, saved := range []bool{false, true} {
			x := newWalk(t)
			x.migrate()
			x.write()
			if reopened {
				e := world.Stepwise(x.engine())
				e.Stores = undigested{e.Stores}
				if r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() == nil || r.Open {
					t.Fatalf("%s, open %v", r.Outcome, r.Open)
				}
			}
			e := x.engine()
			e.Stores = away{e.Stores}
			alone := migrate.RollbackOptions{DiscardWrites: true, StoreUnreachable: true}
			mustDo(t, e.Rollback(t.Context(), alice, alone), result.OutcomeToBeSealed)
			if saved {
				x.saveWithoutMetadata()
			}
			for range 2 {
				r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{})
				if userdb.KindOf(r.Err()) != userdb.Conflict {
					t.Errorf("reopened %v, saved %v: rollback %s, %v", reopened, saved, r.Outcome, r.Err())
				}
				if r = x.engine().Migrate(t.Context(), alice); userdb.KindOf(r.Err()) != userdb.Conflict {
					t.Errorf("reopened %v, saved %v: migrate %s, %v", reopened, saved, r.Outcome, r.Err())
				}
			}
			r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{DiscardWrites: true})
			if r.Err() != nil || r.LeftBehind == "" {
				t.Errorf("reopened %v, saved %v: %q, %v", reopened, saved, r.LeftBehind, r.Err())
			}
			x.atFile(walkRows)
		}
	}
}

// noRelease are Durable Objects that a rollback cannot empty for now.
type noRelease struct{ migrate.Stores }

func (noRelease) Release(context.Context, userdb.UserID, userdb.Claim) (wire.Status, error) {
	return wire.Status{}, &userdb.Error{Op: "release", Kind: userdb.Unreachable, Err: errors.New("no answer")}
}

// TestRollbackAfterAnExportConverges: where the file was put and the object not emptied, the same command
// ends it, also after a router has saved. It asks where the metadata is gone.
func TestRollbackAfterAnExportConverges(t *testing.T) {
	for _, saved := range []string{"nobody", "router", "old path"} {
		t.Run(saved, func(t *testing.T) {
			x := newWalk(t)
			x.migrate()
			x.write()
			e := x.engine()
			e.Stores = noRelease{e.Stores}
			first := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
			if first.Err() == nil || first.Outcome != "exported, cleanup pending" || first.Open {
				t.Fatal(first.Outcome, first.Err())
			}
			rows := walkRows + 1
			switch saved {
			case "router":
				x.write()
				rows++
			case "old path":
				x.saveWithoutMetadata()
			}
			r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{})
			if saved == "old path" {
				if userdb.KindOf(r.Err()) != userdb.Conflict {
					t.Fatalf("%s, %v", r.Outcome, r.Err())
				}
				r = x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{DiscardWrites: true})
			}
			mustDo(t, r, result.OutcomeExported)
			x.atFile(rows)
		})
	}
}
