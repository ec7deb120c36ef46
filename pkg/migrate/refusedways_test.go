package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// kept is a way, and what has to be so once the same command was let do its work.
type kept struct {
	before func(*walk)
	run    command
	after  func(*walk)
}

func refusedWays() map[string]kept {
	var image []byte
	same := func(x *walk) { x.atEither(walkRows + 1) }
	restored := func(x *walk) { backWith(x, walkRows) }
	whole := func(x *walk) { x.atFile(walkRows + 1) }
	joined := func(x *walk) { backWith(x, walkRows+1) }
	split := func(x *walk, ctx context.Context, e *migrate.Engine) result.Result {
		return e.Split(ctx, alice, x.split(20))
	}
	restore := func(x *walk, ctx context.Context, e *migrate.Engine) result.Result { return x.restore(ctx, e, image) }
	return map[string]kept{
		"split":          {(*walk).write, split, joined},
		"split of moved": {func(x *walk) { x.migrate(); x.write() }, split, joined},
		"merge": {func(x *walk) { x.splitAt(20); x.write() }, func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Rollback(ctx, alice, migrate.RollbackOptions{})
		}, whole},
		"restore over the file":   {func(x *walk) { image = x.image(); x.write() }, restore, restored},
		"restore over the object": {func(x *walk) { image = x.image(); x.migrate(); x.write() }, restore, restored},
		"forget": {func(x *walk) { x.migrate(); x.write(); x.litter() }, func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return account(ctx, e, result.ActionForget, func(ctx context.Context, u userdb.UserID) result.Result {
				return e.Forget(ctx, u, migrate.ForgetOptions{ArchivePrefix: "archive/"})
			})
		}, (*walk).gone},
		"backup of the file":   {(*walk).write, backedUpWhole, same},
		"backup of the object": {func(x *walk) { x.migrate(); x.write() }, backedUpWhole, func(*walk) {}},
		"backup of both":       {func(x *walk) { x.splitAt(20); x.write() }, backedUpWhole, func(*walk) {}},
	}
}

func backWith(x *walk, rows int) {
	x.Helper()
	if r := x.engine().Rollback(x.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
		x.Error(r.Err())
	}
	x.atFile(rows)
}

// backedUpWhole is a backup that has every row if it says that it was made.
func backedUpWhole(x *walk, ctx context.Context, e *migrate.Engine) (r result.Result) {
	rows, err := x.backedUp(e, x.TempDir())
	if err == nil && rows != walkRows+1 {
		err = fmt.Errorf("%d rows were backed up", rows)
	}
	return result.Result{User: alice}.With(err)
}

// TestARefusedRequestOfOtherWaysLosesNothing is TestARefusedRequestLosesNothing for the other commands.
func TestARefusedRequestOfOtherWaysLosesNothing(t *testing.T) {
	t.Parallel()
	ways := refusedWays()
	for _, name := range effort.Some(t, "ways", slices.Sorted(maps.Keys(ways)), 3) {
		for service, refusing := range map[string]func(*migrate.Engine, *refusal){
			"R2":         func(e *migrate.Engine, no *refusal) { e.Files = refusingFiles{e.Files, no} },
			"the Worker": func(e *migrate.Engine, no *refusal) { e.Stores = refusingStores{e.Stores, no} },
		} {
			for _, stay := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, stays %v", name, service, stay), func(t *testing.T) {
					refuseEachOf(t, ways[name], stay, refusing)
				})
			}
		}
	}
}

func refuseEachOf(t *testing.T, way kept, stay bool, refusing func(*migrate.Engine, *refusal)) {
	t.Helper()
	for at := 0; ; at++ {
		x := newWalk(t)
		way.before(x)
		no := &refusal{at: at, stay: stay, kind: []userdb.Kind{userdb.Unauthorized, userdb.Internal}[at%2]}
		e := x.engine()
		refusing(e, no)
		first := way.run(x, t.Context(), e)
		if r := way.run(x, t.Context(), x.engine()); r.Err() != nil {
			t.Errorf("request %d, %s: %v, then %v", at, no.kind, first.Err(), r.Err())
		}
		way.after(x)
		if t.Failed() {
			t.Fatalf("request %d, %s: %v", at, no.kind, first.Err())
		}
		if !no.hit {
			if at == 0 {
				t.Error("nothing was refused")
			}
			return
		}
	}
}

// TestPlanOfARestore: the plan says who serves, what is replaced, and whether the same rows are there
// already. It changes nothing, and refuses what a restore would refuse.
func TestPlanOfARestore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(*walk)
		serves string
		same   bool
	}{
		"a new user":             {func(x *walk) { x.forget() }, "none", false},
		"in R2":                  {func(*walk) {}, "file", false},
		"in the object":          {(*walk).migrate, "object", true},
		"in the object, written": {func(x *walk) { x.migrate(); x.write() }, "object", false},
		"split":                  {func(x *walk) { x.splitAt(20) }, "split", false},
	} {
		t.Run(name, func(t *testing.T) {
			x := newWalk(t)
			e, image := x.engine(), x.image()
			c.before(x)
			plan, err := e.PlanRestore(t.Context(), alice, x.given(e, image))
			if err != nil || plan.ServedBy != c.serves || plan.Same != c.same || plan.Problem != "" ||
				plan.Rows != 2*walkRows+1 || plan.Tables != 3 {
				t.Errorf("%+v: %v", plan, err)
			}
			if replaces := plan.BytesNow > 0; replaces != (c.serves != "none") {
				t.Errorf("%d bytes are replaced", plan.BytesNow)
			}
		})
	}
	t.Run("a file that is no database", func(t *testing.T) {
		x := newWalk(t)
		e := x.engine()
		if _, err := e.PlanRestore(t.Context(), alice, x.given(e, []byte("hello"))); userdb.KindOf(err) != userdb.NotSQLite {
			t.Error(userdb.KindOf(err), err)
		}
		x.atFile(walkRows)
	})
	t.Run("both halves have a row", func(t *testing.T) {
		x := newWalk(t)
		e, image := x.engine(), x.image()
		x.splitAt(20)
		e.Stores = changedCold{e.Stores}
		_, err := e.PlanRestore(t.Context(), alice, x.given(e, image))
		if !errors.Is(err, errNoCold) {
			t.Error(err)
		}
	})
}

var errNoCold = errors.New("the cold rows cannot be read")

// changedCold is a Durable Object that does not tell its cold rows.
type changedCold struct{ migrate.Stores }

func (changedCold) FreshDigest(context.Context, userdb.UserID) (wire.DigestReport, error) {
	return wire.DigestReport{}, errNoCold
}

// forget leaves nobody under the name.
func (x *walk) forget() {
	x.Helper()
	if err := x.w.Bucket.Delete(x.Context(), x.w.Layout.Key(alice)); err != nil {
		x.Fatal(err)
	}
}
