package migrate_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// refusesNames is a Worker that finds names in the object's metadata that S3 would not bring back.
type refusesNames struct{ migrate.Marker }

func (refusesNames) Mark(context.Context, userdb.UserID, wire.MarkRequest) (userdb.ETag, error) {
	return "", &userdb.Error{Op: "mark", Kind: userdb.Blocked, Err: &wire.RemoteError{Status: 422, Kind: wire.KindMetadataNames}}
}

// TestRefusedNamesLeaveTheFileAlone: nothing of ours may touch the object then, since a PUT over S3 is what would change its metadata.
func TestRefusedNamesLeaveTheFileAlone(t *testing.T) {
	w := world.New(t.TempDir())
	path := filepath.Join(t.TempDir(), "a.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const user = userdb.UserID("alice")
	key := w.Layout.Key(user)
	before, err := w.Bucket.Put(t.Context(), key, bytes.NewReader(content), int64(len(content)), userdb.PutOptions{IfNoneMatch: true})
	if err != nil {
		t.Fatal(err)
	}
	e := w.Engine("run", w.Bucket, w.Objects, refusesNames{w.Objects})
	for try := range 2 { // the second one finds an object that was claimed, and a file without a stamp
		result := e.Migrate(t.Context(), user)
		if userdb.KindOf(result.Err()) != userdb.Blocked || result.Open {
			t.Errorf("try %d: got %s (open: %v): %v", try, result.Outcome, result.Open, result.Err())
		}
	}
	after, err := w.Bucket.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if after.ETag != before {
		t.Errorf("the file was touched: it was %s and is %s", before, after.ETag)
	}
	if !w.Serves(user) {
		t.Error("nobody serves the user")
	}
}
