package migrate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// LookDeep says whether a user's file could be moved. It begins with the header and the schema, which need a few ranged reads; a file that these
// block is not downloaded. For every other file it is Preflight. It changes nothing.
func (e *Engine) LookDeep(ctx context.Context, u userdb.UserID) (sqlitefile.Report, error) {
	report, sure, err := e.firstLook(ctx, u)
	if err == nil && sure {
		return report, nil
	}
	if err != nil && userdb.KindOf(err) != userdb.Precondition { // the application saved a new version meanwhile
		return sqlitefile.Report{}, err
	}
	return e.Preflight(ctx, u)
}

// firstLook reads one version of the object, range by range.
func (e *Engine) firstLook(ctx context.Context, u userdb.UserID) (report sqlitefile.Report, sure bool, err error) {
	key := e.Layout.Key(u)
	head, object, err := e.Files.GetRange(ctx, key, "", 0, sqlitefile.SkimBytes)
	if err != nil {
		return sqlitefile.Report{}, false, err
	}
	dir, err := os.MkdirTemp(e.TempDir, "dbmigrate-schema-")
	if err != nil {
		return sqlitefile.Report{}, false, fmt.Errorf("create folder for the schema: %w", err)
	}
	defer os.RemoveAll(dir)
	read := func(offset, length int64) ([]byte, error) {
		if offset == 0 {
			return head[:min(length, int64(len(head)))], nil
		}
		content, _, err := e.Files.GetRange(ctx, key, object.ETag, offset, length)
		return content, err
	}
	return sqlitefile.FirstLook(ctx, filepath.Join(dir, "schema.sqlite"), object.Size, e.Limits, read)
}
