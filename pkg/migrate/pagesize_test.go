package migrate_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/backup"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// measured notes how much each request of a copy reads, in bytes, and compares, in rows.
type measured struct {
	migrate.Snapshots
	before        func(asked int)
	takes         time.Duration // each request
	reads, checks []int64
	pauses        []time.Duration
	answered      time.Time
}

func (m *measured) Follow(ctx context.Context, u userdb.UserID, req wire.FollowRequest) (*wire.Followed, error) {
	if !m.answered.IsZero() && (req.Read != nil || req.Check != nil) {
		m.pauses = append(m.pauses, time.Since(m.answered))
	}
	if req.Read != nil {
		m.reads = append(m.reads, req.Read.MaxBytes)
	}
	if req.Check != nil && req.Check.Table == "large" {
		m.checks = append(m.checks, req.Check.Limit)
	}
	m.before(len(m.reads) + len(m.checks))
	time.Sleep(m.takes)
	at, err := m.Snapshots.Follow(ctx, u, req)
	if req.Since != nil { // the first one has no rows, and is followed at once
		m.answered = time.Now()
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

// TestACopyReadsLittleBesideWrites: writes wait for each request, so it reads little and seldom while the
// application writes. A user who rests is read in larger ones, ten times as often.
func TestACopyReadsLittleBesideWrites(t *testing.T) {
	const took, seldom = 2 * time.Millisecond, 200 * time.Millisecond
	for _, c := range []struct {
		name   string
		writes func(asked int) bool
		reads  bool          // some of the requests read more
		checks bool          // some compare more
		pause  time.Duration // the shortest
	}{
		{"at rest", func(int) bool { return false }, true, true, 20 * took},
		{"always", func(int) bool { return true }, false, false, seldom},
		{"from the middle on", func(asked int) bool { return asked > 20 }, true, false, 20 * took},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// Less than a batch, since the world's object takes these in order only.
				w, _, _ := oneUser(t, "CREATE TABLE large (a)",
					"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) INSERT INTO large SELECT zeroblob(1000) FROM n")
				mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
				e := plain(w)
				m := &measured{Snapshots: e.Snapshots, takes: took, before: func(asked int) {
					if c.writes(asked) {
						insert(t, w, asked)
					}
				}}
				e.Snapshots, e.SnapshotBytes = m, 0
				target, err := backup.NewTarget(t.TempDir(), e.Files, e.Layout)
				if err != nil {
					t.Fatal(err)
				}
				mustDo(t, target.Job(e)(t.Context(), alice), result.OutcomeBackedUp)
				if least := slices.Min(m.reads); least != 8<<10 || m.reads[0] != least {
					t.Errorf("reads %d", m.reads)
				}
				if more := slices.Max(m.reads) > 8<<10; more != c.reads {
					t.Errorf("reads %d", m.reads)
				}
				if shortest := slices.Min(m.pauses); shortest.Round(took) != c.pause {
					t.Errorf("pauses from %s, want %s", shortest, c.pause)
				}
				if more := slices.Max(m.checks) > 10; more != c.checks {
					t.Errorf("compares %d rows", m.checks)
				}
			})
		})
	}
}
