package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestWalkDiscard disturbs every request of a rollback that discards. What was written since the migration may leave the user, and never the
// bucket: once the same command has ended, the user is served by the old file, and a file that was left behind has the write, also when
// late messages of the dead command land at last.
func TestWalkDiscard(t *testing.T) {
	image := smallDatabase(t)
	first := newPatient(t, image, []string{"migrate"})
	first.op.Proxy.Reset(nil)
	must(t, first.op, 0, first.discard()...)
	names := seen(first.op)
	first.mustBeLeftBehind()
	for n, name := range names {
		t.Run(fmt.Sprintf("%02d %s", n, name), func(t *testing.T) {
			t.Parallel()
			u := newPatient(t, image, []string{"migrate"})
			for _, way := range ways {
				t.Run(way.name, func(t *testing.T) {
					u.t = t
					u.disturbRun(u.discard(), n, name, way.fault(u))
					must(t, u.op, 0, u.discard()...)
					if _, err := u.op.Proxy.Release(); err != nil {
						t.Fatal(err)
					}
					u.mustBeLeftBehind()
					must(t, u.op, 0, "migrate", u.Name)
					u.write()
				})
			}
		})
	}
}

func (u *patient) discard() []string {
	return []string{"rollback", u.Name, "--discard-writes", "--confirm", "discard the writes of " + u.Name}
}

// mustBeLeftBehind demands that the last write is in a file under the reserved prefix, and not with the user any more.
func (u *patient) mustBeLeftBehind() {
	u.t.Helper()
	found, err := u.leftBehind(u.Writes - 1)
	if err != nil || !found {
		u.t.Fatalf("entry %d was not left behind: %v", u.Writes-1, err)
	}
	u.Writes--
	u.check()
	if u.Side != "file" {
		u.t.Fatalf("the %s serves", u.Side)
	}
}

var errFound = errors.New("found")

func (u *patient) leftBehind(entry int) (bool, error) {
	prefix := userdb.ReservedPrefix + "left-behind/" + u.Name + "/"
	err := bucket(u.t).List(context.Background(), prefix, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			last, err := u.lastEntry(o.Key)
			if err != nil {
				return err
			}
			if last == entry {
				return errFound
			}
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// lastEntry opens an object as the SQLite file that it is.
func (u *patient) lastEntry(key userdb.ObjectKey) (last int, err error) {
	var content bytes.Buffer
	if _, err := bucket(u.t).Get(context.Background(), key, "", &content); err != nil {
		return 0, err
	}
	path := filepath.Join(u.t.TempDir(), "left.sqlite")
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		return 0, err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRow("select max(n) from entries").Scan(&last)
	return last, err
}
