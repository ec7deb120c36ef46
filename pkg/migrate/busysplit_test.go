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

func policyOf(t *testing.T, where string) *split.Policy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cold.toml")
	if err := os.WriteFile(path, []byte("[tables.t]\nwhere = \""+where+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := split.LoadPolicy(path)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}
