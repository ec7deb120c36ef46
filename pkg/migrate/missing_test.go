package migrate_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// TestFileDeletedWhileACommandIsOpen: the router answers nobody then, in any of these phases. Status says so,
// migrate names the way out, and rollback is that way.
func TestFileDeletedWhileACommandIsOpen(t *testing.T) {
	seen := map[userdb.Phase]bool{}
	for _, name := range []string{"migrate", "roll back writes", "split"} {
		c := ways()[name]
		for n, died := 1, true; died; n++ {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				c.before(x)
				var late sync.WaitGroup
				line := world.NewLine(rand.New(rand.NewPCG(uint64(n), 1)), world.Trouble{}, &late)
				line.DieAfter(n)
				c.run(x, t.Context(), world.Stepwise(x.w.OverLine("dies", line)))
				late.Wait()
				died = line.Died()
				st, err := x.w.Objects.Status(t.Context(), alice)
				if err != nil {
					t.Fatal(err)
				}
				if !userfile.Waits(st.Phase) {
					return
				}
				seen[st.Phase] = true
				x.endsByRollback(st.Phase, c.rows)
			})
		}
	}
	for _, phase := range []userdb.Phase{
		userdb.Importing, userdb.Ready, userdb.Sealed, userdb.Splitting,
	} {
		if !seen[phase] {
			t.Errorf("nothing died in %s", phase)
		}
	}
}

func (x *walk) endsByRollback(phase userdb.Phase, rows int) {
	x.Helper()
	if err := x.w.Bucket.Delete(x.Context(), x.w.Layout.Key(alice)); err != nil {
		x.Fatal(err)
	}
	s, err := x.engine().Inspect().Status(x.Context(), alice)
	if err != nil || s.Serves != userfile.SideNone || s.Next != "dbmigrate rollback alice" {
		x.Errorf("%s: %+v, %v", phase, s, err)
	}
	refused := []result.Result{x.engine().Migrate(x.Context(), alice), x.engine().Verify(x.Context(), alice)}
	if phase != userdb.Sealed { // split mode brings such a user back by itself
		refused = append(refused, x.engine().Split(x.Context(), alice, x.split(20)))
	}
	for _, r := range refused {
		var e *userdb.Error
		if !errors.As(r.Err(), &e) || !strings.Contains(e.Hint, "`dbmigrate rollback`") {
			x.Errorf("%s: %s %s, %v", phase, r.Action, r.Outcome, r.Err())
		}
	}
	if r := x.engine().Rollback(x.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
		x.Errorf("%s: rollback: %v", phase, r.Err())
	}
	s, err = x.engine().Inspect().Status(x.Context(), alice)
	if err != nil || s.Serves != userfile.SideFile || s.Problem != "" {
		x.Errorf("%s: %+v, %v", phase, s, err)
	}
	if phase == userdb.Sealed {
		x.atFile(rows)
	}
}
