package migrate_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/backup"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// grows is an object to which a row is written for each row that is read: a copy never comes to its end.
type grows struct {
	migrate.Snapshots
	t     *testing.T
	w     *world.World
	asked int
}

func (g *grows) Follow(ctx context.Context, u userdb.UserID, req wire.FollowRequest) (*wire.Followed, error) {
	if g.asked++; req.Read != nil {
		insert(g.t, g.w, g.asked)
		row := *req.Read
		row.MaxBytes = 1
		req.Read = &row
	}
	return g.Snapshots.Follow(ctx, u, req)
}

// neverRests is written to in front of each page, too.
type neverRests struct {
	migrate.Stores
	t *testing.T
	w *world.World
}

func (n neverRests) ExportRows(ctx context.Context, u userdb.UserID, req wire.ExportRequest) (*wire.ExportPage, error) {
	insert(n.t, n.w, -1)
	return n.Stores.ExportRows(ctx, u, req)
}

// TestACopyThatIsOutrunEnds: a user who writes more than is read between the writes is read a bounded number
// of times. Then the copy is made in a pause of the writes, or the user is refused with the way out.
func TestACopyThatIsOutrunEnds(t *testing.T) {
	for name, rests := range map[string]bool{"who rests in the end": true, "who never rests": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, _, _ := oneUser(t)
				mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
				e := plain(w)
				outrun := &grows{Snapshots: e.Snapshots, t: t, w: w}
				e.Snapshots, e.SnapshotBytes = outrun, 0
				if !rests {
					e.Stores = neverRests{e.Stores, t, w}
				}
				target, err := backup.NewTarget(t.TempDir(), e.Files, e.Layout)
				if err != nil {
					t.Fatal(err)
				}
				r := target.Job(e)(t.Context(), alice)
				if outrun.asked > 400 {
					t.Errorf("%d requests for an object of %d bytes", outrun.asked, r.Bytes)
				}
				if rests {
					mustDo(t, r, result.OutcomeBackedUp)
					return
				}
				if userdb.KindOf(r.Err()) != userdb.Precondition || r.Open ||
					!strings.Contains(r.Err().Error(), "writes faster than it can be read") ||
					!strings.Contains(r.Err().Error(), "roll the user back") {
					t.Errorf("kind %s: %v", userdb.KindOf(r.Err()), r.Err())
				}
			})
		})
	}
}
