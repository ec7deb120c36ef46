package migrate

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// An application can make in its Durable Object what no file can ever be built with.
func TestEndlessIndexesEndARollback(t *testing.T) {
	path := filepath.Join(t.TempDir(), "built.sqlite")
	schema := wire.Schema{
		Header: wire.Header{PageSize: 4096, Encoding: "UTF-8", WriteVersion: 1, ReadVersion: 1},
		Objects: []wire.Object{
			{
				Type:  "view",
				Name:  "v",
				Table: "v",
				SQL:   "CREATE VIEW v(id, t) AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT n, 'word' FROM r WHERE n < 0",
			},
			{
				Type:  "table",
				Name:  "f",
				Table: "f",
				SQL:   "CREATE VIRTUAL TABLE f USING fts5(t, content='v', content_rowid='id')",
			},
		},
	}
	b, err := sqlitefile.Create(path, schema)
	if err != nil {
		t.Fatal(err)
	}
	err = finishWithin(t.Context(), "user", b, 100*time.Millisecond)
	if userdb.KindOf(err) != userdb.TooCostly || !errors.Is(err, errFinishTooLong) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}
