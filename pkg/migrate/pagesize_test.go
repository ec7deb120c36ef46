package migrate_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/backup"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// measured notes what lies between the requests of a copy.
type measured struct {
	migrate.Snapshots
	takes    time.Duration // each request
	old      bool          // the Worker does not say how much its log holds
	pauses   []time.Duration
	writes   []int64 // that the object took in each pause
	answered time.Time
	at       int64
}

func (m *measured) Follow(ctx context.Context, u userdb.UserID, req wire.FollowRequest) (*wire.Followed, error) {
	paused := time.Since(m.answered)
	time.Sleep(m.takes)
	at, err := m.Snapshots.Follow(ctx, u, req)
	if err == nil && (req.Read != nil || req.Check != nil) {
		m.pauses, m.writes = append(m.pauses, paused), append(m.writes, at.Writes-m.at)
	}
	if m.answered = time.Now(); err == nil {
		m.at = at.Writes
		if m.old {
			at.Log = 0
		}
	}
	return at, err
}

// empties loses all rows of a table on the way, and says that there are no more.
type empties struct {
	migrate.Snapshots
	table string
}

func (e empties) Follow(ctx context.Context, u userdb.UserID, req wire.FollowRequest) (*wire.Followed, error) {
	at, err := e.Snapshots.Follow(ctx, u, req)
	if err == nil && req.Read != nil && req.Read.Table == e.table {
		page := *at.Read
		page.Rows, page.Done, page.Last, page.Cells, page.Reals = 0, true, nil, nil, nil
		at.Read = &page
	}
	return at, err
}

// TestACopyWithoutATablesRowsIsRefused: a table that arrives without rows is compared with one that has some.
func TestACopyWithoutATablesRowsIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := oneUser(t, "CREATE TABLE large (a)", "INSERT INTO large VALUES (zeroblob(100000))")
		mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
		e := plain(w)
		e.Snapshots, e.SnapshotBytes = empties{e.Snapshots, "large"}, 0
		target, err := backup.NewTarget(t.TempDir(), e.Files, e.Layout)
		if err != nil {
			t.Fatal(err)
		}
		if r := target.Job(e)(t.Context(), alice); userdb.KindOf(r.Err()) != userdb.Mismatch {
			t.Errorf("%s: %v", r.Outcome, r.Err())
		}
	})
}

// TestACopyHoldsUpFewWrites: a write may wait for a request, so while the application writes there are few,
// and not so few that the object's log would not reach. A user at rest is read faster.
func TestACopyHoldsUpFewWrites(t *testing.T) {
	const took = 2 * time.Millisecond
	for _, c := range []struct {
		name            string
		every           time.Duration // the application writes; 0: never
		median, longest time.Duration
		old             bool
		mostWrites      int64 // between two requests
	}{
		{"at rest", 0, 20 * took, 20 * took, false, 0},
		{"without a pause", 20 * time.Millisecond, 2 * time.Second, 2 * time.Second, false, 110},
		{"as fast as an object can", time.Millisecond, 1600 * time.Millisecond, 1600 * time.Millisecond, false, 1700},
		{"with a Worker of before", time.Millisecond, 400 * time.Millisecond, 400 * time.Millisecond, true, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Less than a batch, since the world's object takes these in order only.
				w, _, _ := oneUser(t, "CREATE TABLE large (a)",
					"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO large SELECT zeroblob(1000) FROM n")
				mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
				e := plain(w)
				m := &measured{Snapshots: e.Snapshots, takes: took, old: c.old}
				e.Snapshots, e.SnapshotBytes = m, 0
				target, err := backup.NewTarget(t.TempDir(), e.Files, e.Layout)
				if err != nil {
					t.Fatal(err)
				}
				done := writing(t, w, c.every)
				mustDo(t, target.Job(e)(t.Context(), alice), result.OutcomeBackedUp)
				done()
				median := slices.Sorted(slices.Values(m.pauses))[len(m.pauses)/2]
				if apart(median, c.median) || apart(slices.Max(m.pauses), c.longest) {
					t.Errorf("pauses %s", m.pauses)
				}
				if most := slices.Max(m.writes); most > c.mostWrites {
					t.Errorf("%d writes between two requests: %d", most, m.writes)
				}
			})
		})
	}
}

// apart says of a time that it is another one by more than a tenth.
func apart(a, b time.Duration) bool { return a < b*9/10 || a > b*11/10 }

// writing is an application that writes until it is told to end.
func writing(t *testing.T, w *world.World, every time.Duration) (end func()) {
	if every == 0 {
		return func() {}
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(every):
				insert(t, w, n)
			}
		}
	}()
	return func() { close(stop); <-ended }
}
