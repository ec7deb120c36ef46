package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestWalkDiscard disturbs every request of a rollback that discards. What was written since the migration
// may leave the user, and never the bucket: once the same command has ended, the user is served by the old
// file, and a file that was left behind has the write, also when late messages of the dead command land at
// last.
func TestWalkDiscard(t *testing.T) {
	image := smallDatabase(t)
	first := newPatient(t, image, []string{"migrate"})
	first.op.Proxy.Reset(nil)
	must(t, first.op, 0, first.discard()...)
	names := seen(first.op)
	first.mustBeLeftBehind(map[userdb.ObjectKey]bool{})
	var all []point
	for n, name := range names {
		all = append(all, point{n: n, name: name, nth: nthOf(names, n)})
	}
	for _, p := range chosenPoints(t, all, 5) {
		t.Run(fmt.Sprintf("%02d %s", p.n, p.name), func(t *testing.T) {
			t.Parallel()
			u, before := newPatient(t, image, []string{"migrate"}), map[userdb.ObjectKey]bool{}
			for _, way := range p.ways {
				t.Run(ways[way].name, func(t *testing.T) {
					u.t = t
					u.disturbRun(u.discard(), p.nth, p.name, ways[way].fault(u))
					must(t, u.op, 0, u.discard()...)
					if _, err := u.op.Proxy.Release(); err != nil {
						t.Fatal(err)
					}
					u.mustBeLeftBehind(before)
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

// mustBeLeftBehind demands that the last write is in a file under the reserved prefix, one that was not there
// before, and not with the user any more.
func (u *patient) mustBeLeftBehind(before map[userdb.ObjectKey]bool) {
	u.t.Helper()
	found, err := u.leftBehind(u.Writes-1, before)
	if err != nil || !found {
		u.t.Fatalf("entry %d was not left behind: %v", u.Writes-1, err)
	}
	u.Writes--
	u.check()
	if u.Side != "file" {
		u.t.Fatalf("the %s serves", u.Side)
	}
}

func (u *patient) leftBehind(entry int, before map[userdb.ObjectKey]bool) (found bool, err error) {
	prefix := userdb.ReservedPrefix + "left-behind/" + u.Name + "/"
	err = bucket(u.t).List(context.Background(), prefix, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			if before[o.Key] {
				continue
			}
			before[o.Key] = true
			last, err := u.lastEntry(o.Key)
			if err != nil {
				return err
			}
			found = found || last == entry
		}
		return nil
	})
	return found, err
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
