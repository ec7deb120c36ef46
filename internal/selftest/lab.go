package selftest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// table is the one that marks a database as ours; the Worker writes to no other.
const table = "CREATE TABLE dbmigrate_selftest (id INTEGER PRIMARY KEY, note TEXT)"

// lab is where the probes work.
type lab struct {
	*connect.Connection
	ctx   context.Context
	pause time.Duration // the longest that a write waited in this probe
	// vanished says that the Durable Object is deleted, too.
	vanished bool
	found    map[string]finding // of runs that several probes share
}

func (l *lab) key() userdb.ObjectKey { return l.Layout.Key(User) }

// makeDatabase writes a database of about so many bytes, with an index, a trigger and a view.
func (l *lab) makeDatabase(bytes, rows int) (content []byte, err error) {
	path, err := l.ScratchPath()
	if err != nil {
		return nil, err
	}
	defer os.Remove(path)
	err = onDatabase(path, capi.Create,
		table,
		"CREATE TABLE filler (id INTEGER PRIMARY KEY, day INTEGER, body TEXT)",
		"CREATE INDEX filler_by_day ON filler (day)",
		"CREATE VIEW latest AS SELECT max(id) FROM dbmigrate_selftest",
		"CREATE TRIGGER kept AFTER DELETE ON dbmigrate_selftest BEGIN SELECT RAISE(ABORT, 'no'); END",
		fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "+
			"INSERT INTO filler SELECT i, i %% 97, hex(randomblob(%d)) FROM n", rows, max(1, bytes/rows/2)),
	)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func onDatabase(path string, mode capi.Mode, statements ...string) error {
	c, err := capi.Open(path, mode)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if err := c.Exec(s); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	return c.Close()
}

// notes reads the notes of a database.
func notes(path string) (all []string, err error) {
	c, err := capi.Open(path, capi.Immutable)
	if err != nil {
		return nil, err
	}
	err = c.Query("SELECT note FROM dbmigrate_selftest", nil, func(s *capi.Stmt) error {
		all = append(all, strings.Clone(s.Text(0)))
		return nil
	})
	return all, errors.Join(err, c.Close())
}

func (l *lab) put(ctx context.Context, key userdb.ObjectKey, body []byte, opts userdb.PutOptions) (userdb.ETag, error) {
	return l.Files.Put(ctx, key, bytes.NewReader(body), int64(len(body)), opts)
}

func (l *lab) get(ctx context.Context, key userdb.ObjectKey) ([]byte, userdb.Object, error) {
	var body bytes.Buffer
	object, err := l.Files.Get(ctx, key, "", &body)
	return body.Bytes(), object, err
}

// cleanUp takes the synthetic user, and what the probes wrote, away.
func (l *lab) cleanUp(ctx context.Context) error {
	if err := l.removeUser(ctx); err != nil {
		return err
	}
	if err := errors.Join(l.removeOwn(ctx), l.Flags.Delete(ctx, []userdb.UserID{User})); err != nil {
		return err
	}
	// Last: without its claim counter the object would be taken for one that was set back, if a file were
	// there.
	vanished, err := l.Worker().Vanish(ctx, User)
	l.vanished = vanished
	return err
}

// removeOwn deletes what commands and probes keep of the user under userdb.ReservedPrefix. The proofs that a
// file can be written name nobody. Those of a command that goes on are nothing but deleted twice.
func (l *lab) removeOwn(ctx context.Context) error {
	prefixes := []string{folder, userdb.ReservedPrefix + "probe/"}
	for _, kept := range []string{"receipts/", "left-behind/", "overwritten/"} {
		prefixes = append(prefixes, userdb.ReservedPrefix+kept+string(User)+"/")
	}
	for _, prefix := range prefixes {
		if err := l.removeUnder(ctx, prefix); err != nil {
			return err
		}
	}
	return errors.Join(
		reserved.Delete(ctx, l.Files, userdb.ObjectKey(userdb.ReservedPrefix+"rehearsals/"+string(User)+".sqlite")),
		reserved.Delete(ctx, l.Files, userdb.ReservedPrefix+"fencing/"+l.key()),
	)
}

func (l *lab) removeUnder(ctx context.Context, prefix string) error {
	var keys []userdb.ObjectKey
	err := l.Files.List(ctx, prefix, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			keys = append(keys, o.Key)
		}
		return nil
	})
	for _, key := range keys {
		err = errors.Join(err, reserved.Delete(ctx, l.Files, key))
	}
	return err
}

// removeUser rolls the user back, so that the object is empty, and deletes the file. A file that is not a
// selftest's stays: then somebody has this name.
func (l *lab) removeUser(ctx context.Context) error {
	st, err := l.Stores.Status(ctx, User)
	if err != nil {
		return err
	}
	if st.Phase != userdb.Empty {
		if r := l.Rollback(ctx, User, migrate.RollbackOptions{}); r.Err() != nil {
			return r.Err()
		}
	}
	file, err := l.Inspect().Source().Fetch(ctx, User)
	if userdb.KindOf(err) == userdb.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Remove()
	if _, err := notes(file.Path); err != nil && !file.Tombstone() {
		return &userdb.Error{Op: "remove", Thing: string(l.key()), Kind: userdb.Conflict,
			Err:  errors.New("it is no database of a selftest: a user may have this name"),
			Hint: "nothing was changed; look at the object"}
	}
	return l.Files.Delete(ctx, l.key())
}

// equalNotes compares what is there with what was acknowledged. Of writes that got no answer nobody knows.
func equalNotes(got, acked, unsure []string) error {
	seen := map[string]int{}
	for _, n := range got {
		seen[n]++
	}
	for _, n := range acked {
		if seen[n] == 0 {
			return fmt.Errorf("write %s was acknowledged, and is lost", n)
		}
	}
	for n, times := range seen {
		if times > 1 && !slices.Contains(unsure, n) {
			return fmt.Errorf("write %s is there %d times", n, times)
		}
		if !slices.Contains(acked, n) && !slices.Contains(unsure, n) {
			return fmt.Errorf("write %s is there, and was never acknowledged", n)
		}
	}
	return nil
}
