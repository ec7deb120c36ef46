package migrate_test

import (
	"context"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// looksOnce notes in which phase files are opened for the first time.
type looksOnce struct {
	userfile.Checks
	x      *walk
	costly bool
	phases []userdb.Phase
}

func (c *looksOnce) Preflight(context.Context, string, wire.Limits) (sqlitefile.Report, error) {
	st, err := c.x.w.Objects.Status(c.x.Context(), alice)
	if err != nil {
		return sqlitefile.Report{}, err
	}
	c.phases = append(c.phases, st.Phase)
	if !c.costly {
		return sqlitefile.Report{}, nil
	}
	finding := sqlitefile.Finding{Level: sqlitefile.Blocked, Reason: sqlitefile.ReasonTooCostly, Detail: "it takes long"}
	return *sqlitefile.NewReport([]sqlitefile.Finding{finding}), nil
}

// TestMergeOpensTheHotFileBeforeWritesWait: what cannot be opened seals nobody, and what was opened is not
// opened again while writes wait.
func TestMergeOpensTheHotFileBeforeWritesWait(t *testing.T) {
	for _, costly := range []bool{true, false} {
		x := newWalk(t)
		x.splitAt(20)
		e := x.engine()
		checks := &looksOnce{x: x, costly: costly}
		e.Checks = checks
		r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
		if costly != (userdb.KindOf(r.Err()) == userdb.TooCostly) || costly == (r.Err() == nil) || r.Window > 0 && costly {
			t.Errorf("costly %v: %s, %v", costly, r.Outcome, r.Err())
		}
		if len(checks.phases) != 1 || checks.phases[0] != userdb.Cold {
			t.Errorf("costly %v: opened in %v", costly, checks.phases)
		}
		if st, err := x.w.Objects.Status(t.Context(), alice); err != nil || costly && st.Phase != userdb.Cold {
			t.Errorf("costly %v: %s, %v", costly, st.Phase, err)
		}
	}
}
