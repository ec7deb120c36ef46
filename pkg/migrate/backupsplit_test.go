package migrate_test

import (
	"context"
	"database/sql"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// beforeGet does something before the first time that a file is loaded.
type beforeGet struct {
	migrate.Files
	once *sync.Once
	do   func()
}

func (b beforeGet) Get(
	ctx context.Context, key userdb.ObjectKey, etag userdb.ETag, into io.Writer,
) (userdb.Object, error) {
	b.once.Do(b.do)
	return b.Files.Get(ctx, key, etag, into)
}

// askCopy backs alice up, and asks the copy a query with one row.
func askCopy(t *testing.T, e *migrate.Engine, query string, into ...any) error {
	return e.Backup(t.Context(), alice, func(ctx context.Context, file *userfile.Copy, _ string) (string, error) {
		db, err := sql.Open("sqlite", file.Path)
		if err != nil {
			return "", err
		}
		defer db.Close()
		return "", db.QueryRowContext(ctx, query).Scan(into...)
	}).Err()
}

// TestBackupOfBothHalvesIsOfOneMoment: the application writes to the cold half and then to the hot one, after
// the cold half was read and before the hot one is. Who has the second row has the first.
func TestBackupOfBothHalvesIsOfOneMoment(t *testing.T) {
	w, _, _ := oneUser(t)
	e := w.Engine("run", w.Bucket, w.Objects, w.Objects)
	if r := e.Split(t.Context(), alice, migrate.SplitOptions{Policy: policyOf(t, "a < 100"), At: time.Unix(1_800_000_000, 0)}); r.Err() != nil {
		t.Fatal(r.Err())
	}
	router := &world.Router{World: w, Network: direct{}, FlagAge: func() time.Duration { return 0 }, Deadline: time.Second}
	insert := func(statement string) world.Query {
		return world.Query{Write: true, Run: func(c *sql.Conn) error {
			_, err := c.ExecContext(t.Context(), statement)
			return err
		}}
	}
	e.Files = beforeGet{w.Bucket, new(sync.Once), func() {
		if err := w.Objects.Cold(t.Context(), alice, insert("INSERT INTO t VALUES (-7)")); err != nil {
			t.Error(err)
		}
		if err := router.Do(t.Context(), alice, insert("INSERT INTO t VALUES (2000)")); err != nil {
			t.Error(err)
		}
	}}
	var cold, hot int
	err := askCopy(t, e, "SELECT sum(a = -7), sum(a = 2000) FROM t", &cold, &hot)
	if err != nil || cold != 1 || hot != 1 {
		t.Errorf("%v: %d of the cold half, %d of the hot one", err, cold, hot)
	}
}

// TestBackupMeetsAnotherSplit: another operator makes the user whole and splits again, by a policy that takes
// more rows, after the cold half was read and before the hot one is. Row 500 was hot then, and is cold now.
func TestBackupMeetsAnotherSplit(t *testing.T) {
	w, _, _ := oneUser(t, "INSERT INTO t VALUES (500)", "INSERT INTO t VALUES (5000)")
	engine := func(run string) *migrate.Engine { return w.Engine(run, w.Bucket, w.Objects, w.Objects) }
	split := func(e *migrate.Engine, where string) {
		if r := e.Split(t.Context(), alice, migrate.SplitOptions{Policy: policyOf(t, where), At: time.Unix(1_800_000_000, 0)}); r.Err() != nil {
			t.Error(r.Err())
		}
	}
	split(engine("first"), "a < 100")
	e := engine("backup")
	e.Files = beforeGet{w.Bucket, new(sync.Once), func() {
		other := engine("other")
		if r := other.Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
			t.Error(r.Err())
		}
		split(other, "a < 1000")
	}}
	var rows int
	if err := askCopy(t, e, "SELECT count(*) FROM t", &rows); err != nil || rows != 3 {
		t.Errorf("%v: %d of 3 rows", err, rows)
	}
}
