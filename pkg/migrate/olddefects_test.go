package migrate_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Defects of the past, each in its smallest form. The large proofs meet them by chance only.

const subject = userdb.UserID("alice")

// aliceIn is a world in which alice has a file with one row.
func aliceIn(t *testing.T) *world.World {
	t.Helper()
	w := world.New(t.TempDir())
	putFileOf(t, w, "INSERT INTO t VALUES (1)")
	return w
}

// putFileOf writes alice's file like a program that knows nothing of conditions.
func putFileOf(t *testing.T, w *world.World, rows string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec("CREATE TABLE t (a); " + rows)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Bucket.Put(
		t.Context(),
		w.Layout.Key(subject),
		bytes.NewReader(content),
		int64(len(content)),
		userdb.PutOptions{},
	)
	if err != nil {
		t.Fatal(err)
	}
}

func statusOf(t *testing.T, w *world.World) wire.Status {
	t.Helper()
	status, err := w.Objects.Status(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// TestSealedObjectIsNotReleasedOverAStrangersFile: the sealed object may be the only copy. A rollback once
// took any file without a fence for its own export, and emptied the object.
func TestSealedObjectIsNotReleasedOverAStrangersFile(t *testing.T) {
	w := aliceIn(t)
	e := w.Engine("run", w.Bucket, w.Objects, w.Objects)
	if r := e.Migrate(t.Context(), subject); r.Err() != nil {
		t.Fatal(r.Err())
	}
	dies := wire.ClaimRequest{
		Intent: wire.IntentRollback,
		Seen:   statusOf(t, w).Gen,
		ID:     "a-rollback-that-dies",
	}
	if _, err := w.Objects.Claim(t.Context(), subject, dies); err != nil {
		t.Fatal(err)
	}
	putFileOf(t, w, "INSERT INTO t VALUES ('of a stranger')")
	r := e.Rollback(t.Context(), subject, migrate.RollbackOptions{})
	if userdb.KindOf(r.Err()) != userdb.Conflict {
		t.Errorf("it ended as %s: %v", r.Outcome, r.Err())
	}
	if phase := statusOf(t, w).Phase; phase != userdb.Sealed {
		t.Errorf("the object is %s", phase)
	}
}

// failsAfter is a Worker with which something happens before a message fails.
type failsAfter struct {
	migrate.Stores
	happens func()
}

func (f failsAfter) Finish(context.Context, userdb.UserID, userdb.Claim, int64) error {
	f.happens()
	return &userdb.Error{Op: "finish", Kind: userdb.Internal, Err: errors.New("no")}
}

// TestGiveUpUndoesNoNewerCommand: a command that gives up undoes its work, unless another one came between.
// It once claimed again whatever had come, and rolled back what the newer command had done.
func TestGiveUpUndoesNoNewerCommand(t *testing.T) {
	w := aliceIn(t)
	newer := w.Engine("newer", w.Bucket, w.Objects, w.Objects)
	older := w.Engine("older", w.Bucket, failsAfter{w.Objects, func() {
		if r := newer.Migrate(t.Context(), subject); r.Err() != nil {
			t.Error(r.Err())
		}
	}}, w.Objects)
	if r := older.Migrate(t.Context(), subject); r.Err() == nil {
		t.Error("the older command did not fail")
	}
	if phase := statusOf(t, w).Phase; phase != userdb.Active {
		t.Errorf("the newer command moved alice, and the object is %s", phase)
	}
}
