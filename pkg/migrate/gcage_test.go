package migrate_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestYoungFilesAreKept: gc frees a file when it was kept for as long as the operator says, and no earlier.
func TestYoungFilesAreKept(t *testing.T) {
	const month = 30 * 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		x.migrate()
		found := inspect.Found{User: alice, Flagged: true, Flag: flagOf(t.Context(), x.engine())}
		for _, c := range []struct {
			wait time.Duration
			free bool
		}{{0, false}, {month - time.Hour, false}, {2 * time.Hour, true}} {
			time.Sleep(c.wait)
			item, r := x.engine().GarbageCollector().Look(t.Context(), found, month)
			if r.Err() != nil || (item != nil) != c.free || !c.free && !strings.Contains(r.Reason, "kept for") {
				t.Errorf("after %s more: %+v, %q, %v", c.wait, item, r.Reason, r.Err())
			}
			if why, err := gc.Explain(t.Context(), x.engine().Inspect(), alice, month); err != nil || why.Free != c.free {
				t.Errorf("after %s more, explained: %+v, %v", c.wait, why, err)
			}
		}
	})
}

// beforeThat is the user's object as it was at an earlier moment.
type beforeThat struct {
	migrate.Stores
	status wire.Status
}

func (b beforeThat) Status(context.Context, userdb.UserID) (wire.Status, error) { return b.status, nil }

// TestNothingIsFreedBesideAnObjectThatWasSetBack: it is of the fence's lineage, but what was written under
// later claims is missing in it, and nobody knows what else.
func TestNothingIsFreedBesideAnObjectThatWasSetBack(t *testing.T) {
	x := newWalk(t)
	x.migrate()
	old, err := x.w.Objects.Status(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	claims(t, x.engine(), wire.IntentRollback)
	x.migrate() // takes that back: the fence is 1.3
	found := inspect.Found{User: alice, Flagged: true, Flag: flagOf(t.Context(), x.engine())}
	item, r := x.engine().GarbageCollector().Look(t.Context(), found, 0)
	if item == nil {
		t.Fatalf("%q, %v", r.Reason, r.Err())
	}
	e := x.engine()
	e.Stores = beforeThat{e.Stores, old}
	if item, r := e.GarbageCollector().Look(t.Context(), found, 0); item != nil || userdb.KindOf(r.Err()) != userdb.Conflict {
		t.Errorf("planned: %+v, %q, %v", item, r.Reason, r.Err())
	}
	if r := e.GarbageCollector().Free(t.Context(), *item, gc.Options{}); userdb.KindOf(r.Err()) != userdb.Conflict {
		t.Errorf("freed: %s, %q, %v", r.Outcome, r.Reason, r.Err())
	}
	why, err := gc.Explain(t.Context(), e.Inspect(), alice, 0)
	if err != nil || why.Free {
		t.Errorf("explained: %+v, %v", why, err)
	}
	if file, err := e.Inspect().Source().Look(t.Context(), alice); err != nil || file.ETag != item.ETag {
		t.Errorf("the file is %s: %v", file.Word(), err)
	}
}
