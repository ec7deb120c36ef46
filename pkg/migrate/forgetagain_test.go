package migrate_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// meantime is a bucket beside which something happens before the first object is deleted.
type meantime struct {
	migrate.Files
	once    sync.Once
	happens func()
}

func (m *meantime) Delete(ctx context.Context, key userdb.ObjectKey) error {
	m.once.Do(m.happens)
	return m.Files.Delete(ctx, key)
}

// A deletion that dawdles behind its tombstone is overtaken by another one, which ends. The next request is a
// new user's: what it was told is written must not go with the first deletion's last request.
func TestADeletionLeavesTheNextUserAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		x.litter()
		x.migrate()
		e := x.engine()
		e.Files = &meantime{Files: e.Files, happens: func() {
			if r := forget(t.Context(), x.engine()); r.Err() != nil {
				t.Fatal(r.Err())
			}
			x.beginsInFile()
		}}
		if r := forget(t.Context(), e); userdb.KindOf(r.Err()) != userdb.Superseded {
			t.Errorf("the first deletion: %s, %v", r.Outcome, r.Err())
		}
		if _, err := x.w.Bucket.Head(t.Context(), x.w.Layout.Key(alice)); err != nil {
			t.Errorf("what the new user wrote: %v", err)
		}
	})
}

// beginsInFile writes as a new user does.
func (x *walk) beginsInFile() {
	x.Helper()
	router := &world.Router{
		World: x.w, Network: direct{}, FlagAge: func() time.Duration { return 0 }, Deadline: time.Minute,
	}
	err := router.Do(x.Context(), alice, world.Query{Write: true, Run: func(c *sql.Conn) error {
		_, err := c.ExecContext(x.Context(), "CREATE TABLE again (id INTEGER PRIMARY KEY); INSERT INTO again VALUES (1)")
		return err
	}})
	if err != nil {
		x.Fatal(err)
	}
}
