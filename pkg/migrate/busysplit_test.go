package migrate_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// neverPauses is a user who writes whenever the Durable Object was asked what it holds.
type neverPauses struct {
	migrate.Stores
	write func()
}

func (n neverPauses) FreshDigest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	report, err := n.Stores.FreshDigest(ctx, u)
	n.write()
	return report, err
}

// TestABusyUserIsSplit: no look at a copy is of one moment, so the policy is asked while the rollback holds
// the writes. A user who is not to be split is served as before.
func TestABusyUserIsSplit(t *testing.T) {
	for _, c := range []struct {
		name, where string
		outcome     result.Outcome
		phase       userdb.Phase
	}{
		{"some rows are cold", "a < 100", result.OutcomeSplit, userdb.Cold},
		{"no row is cold", "a < 0", result.OutcomeNothing, userdb.Active},
		{"the policy cannot be asked", "nowhere < 0", result.OutcomeFailed, userdb.Active},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _, _ := oneUser(t)
			if r := w.Engine("run", w.Bucket, w.Objects, w.Objects).Migrate(t.Context(), alice); r.Err() != nil {
				t.Fatal(r.Err())
			}
			router := &world.Router{World: w, Network: direct{}, FlagAge: func() time.Duration { return 0 }, Deadline: time.Millisecond}
			stores := neverPauses{w.Objects, func() {
				_ = router.Do(t.Context(), alice, world.Query{Write: true, Run: func(c *sql.Conn) error {
					_, err := c.ExecContext(t.Context(), "INSERT INTO t VALUES (1000)")
					return err
				}}) // refused while the object is sealed
			}}
			e := w.Engine("run", w.Bucket, stores, w.Objects)
			r := e.Split(t.Context(), alice, migrate.SplitOptions{Policy: policyOf(t, c.where), At: time.Unix(1_800_000_000, 0)})
			st, err := w.Objects.Status(t.Context(), alice)
			if err != nil || r.Outcome != c.outcome || r.Open || st.Phase != c.phase {
				t.Errorf("%s, open %t, in %s: %v %v", r.Outcome, r.Open, st.Phase, r.Err(), err)
			}
		})
	}
}

// TestABusyUserIsSplitAgain: a second split, or a thaw, of a user who never pauses ends as the first one
// does: the policy is asked under the fence. What it refuses leaves the user split and served.
func TestABusyUserIsSplitAgain(t *testing.T) {
	const first = "[tables.items]\nids = 'application'\nwhere = 'done'\n"
	for _, c := range []struct {
		name, policy string
		thaw         bool
		outcome      result.Outcome
		phase        userdb.Phase
		cold         int64
	}{
		{"more rows are cold", first, false, result.OutcomeSplit, userdb.Cold, 3},
		{"fewer rows are cold", "[tables.items]\nids = 'application'\nwhere = 'done AND id < 4'\n", false, result.OutcomeSplit, userdb.Cold, 2},
		{"rows are thawed", "[tables.items]\nids = 'application'\nwhere = 'done AND id > 1'\n", true, result.OutcomeSplit, userdb.Cold, 2},
		{"no row is cold any more", "[tables.items]\nids = 'application'\nwhere = 'done > 7'\n", true, result.OutcomeMerged, userdb.Empty, 0},
		{"the policy refuses the whole", "[tables.items]\nwhere = 'done AND id < 3'\n", false, result.OutcomeFailed, userdb.Cold, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := world.New(t.TempDir())
			x := &walk{t, w}
			x.put("CREATE TABLE items(id INTEGER PRIMARY KEY, done, n DEFAULT 0); INSERT INTO items VALUES (1, 1, 0), (2, 0, 0), (3, 1, 0), (4, 0, 0)")
			if r := x.splitBy(first); r.Outcome != result.OutcomeSplit {
				t.Fatalf("%s: %v", r.Outcome, r.Err())
			}
			if c.cold == 3 || c.thaw {
				x.do("UPDATE items SET done = 1 WHERE id = 4")
			}
			stores := neverPauses{w.Objects, func() {
				_ = w.Objects.Cold(t.Context(), alice, world.Query{Write: true, Run: func(conn *sql.Conn) error {
					_, err := conn.ExecContext(t.Context(), "UPDATE items SET n = n + 1")
					return err
				}}) // refused while the object is sealed
			}}
			stores.write()
			opts := migrate.SplitOptions{Policy: policyText(t, c.policy), At: time.Unix(1_800_000_000, 0), Thaw: c.thaw}
			r := w.Engine("run", w.Bucket, stores, w.Objects).Split(t.Context(), alice, opts)
			st, err := w.Objects.Status(t.Context(), alice)
			if err != nil || r.Outcome != c.outcome || r.Open || st.Phase != c.phase {
				t.Fatalf("%s, open %t, in %s: %v %v", r.Outcome, r.Open, st.Phase, r.Err(), err)
			}
			if st.Phase != userdb.Cold {
				return
			}
			if report, err := w.Objects.FreshDigest(t.Context(), alice); err != nil || coldRowsOf(report, "items") != c.cold {
				t.Errorf("%d rows are cold: %v", coldRowsOf(report, "items"), err)
			}
		})
	}
}

func policyOf(t *testing.T, where string) *split.Policy {
	t.Helper()
	return policyFor(t, "t", where)
}

func policyFor(t *testing.T, table, where string) *split.Policy {
	t.Helper()
	return policyText(t, "[tables."+table+"]\nwhere = \""+where+"\"\n")
}

func policyText(t *testing.T, text string) *split.Policy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cold.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := split.LoadPolicy(path)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}
