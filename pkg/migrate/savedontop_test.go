package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// savesOnTop is a bucket that stores an unfenced file, lets the application save, and loses the answer.
type savesOnTop struct {
	migrate.Files
	key   userdb.ObjectKey
	saves func()
	used  bool
}

func (s *savesOnTop) Put(
	ctx context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	size int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	etag, err := s.Files.Put(ctx, key, body, size, opts)
	if err != nil || key != s.key || userdb.MetadataFenced(opts.Metadata) || s.used {
		return etag, err
	}
	s.used = true
	s.saves()
	return "", &userdb.Error{Op: "put", Thing: string(key), Kind: userdb.Unreachable, Err: errors.New("no answer")}
}

// TestSavedOnTopOfARollback: R2 has the file, its answer is lost, and the application saves before the
// command looks. The bytes are then others than were sent, and nothing may be put over them.
func TestSavedOnTopOfARollback(t *testing.T) {
	for name, before := range map[string]func(*testing.T, *world.World, userdb.ObjectKey){
		"unchanged":   func(*testing.T, *world.World, userdb.ObjectKey) {},
		"with writes": func(t *testing.T, w *world.World, _ userdb.ObjectKey) { insert(t, w, 2) },
		"without a file": func(t *testing.T, w *world.World, key userdb.ObjectKey) {
			if err := w.Bucket.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, key, _ := oneUser(t)
			files := &savesOnTop{Files: w.Bucket, key: key, used: true, saves: func() { insert(t, w, 3) }}
			e := w.Engine("run", files, w.Objects, nil)
			mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
			before(t, w, key)
			files.used = false
			if r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil || !files.used {
				t.Errorf("%s, used %v: %v", r.Outcome, files.used, r.Err())
			}
			if n := count(t, w, 3); n != 1 {
				t.Errorf("the acknowledged write is there %d times", n)
			}
		})
	}
}

func insert(t *testing.T, w *world.World, a int) {
	t.Helper()
	ask(t, w, true, func(c *sql.Conn) error {
		_, err := c.ExecContext(context.Background(), "INSERT INTO t VALUES (?)", a)
		return err
	})
}

func count(t *testing.T, w *world.World, a int) (n int) {
	t.Helper()
	ask(t, w, false, func(c *sql.Conn) error {
		return c.QueryRowContext(context.Background(), "SELECT count(*) FROM t WHERE a = ?", a).Scan(&n)
	})
	return n
}

func ask(t *testing.T, w *world.World, write bool, run func(*sql.Conn) error) {
	t.Helper()
	router := &world.Router{
		World:    w,
		Network:  direct{},
		FlagAge:  func() time.Duration { return 0 },
		Deadline: time.Minute,
	}
	if err := router.Do(context.Background(), alice, world.Query{Write: write, Run: run}); err != nil {
		t.Error(err)
	}
}
