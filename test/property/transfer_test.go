package property

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// countedStores counts what a search for a difference asks for, and the rows that it gets.
type countedStores struct {
	migrate.Stores
	ranges, pages, rows, bytes int64
}

func (c *countedStores) Range(ctx context.Context, u userdb.UserID, req wire.RangeRequest) (wire.RangeDigest, error) {
	c.ranges++
	return c.Stores.Range(ctx, u, req)
}

func (c *countedStores) ExportRows(ctx context.Context, u userdb.UserID, req wire.ExportRequest) (*wire.ExportPage, error) {
	page, err := c.Stores.ExportRows(ctx, u, req)
	if err == nil {
		c.pages, c.rows, c.bytes = c.pages+1, c.rows+page.Rows, c.bytes+int64(len(page.Cells)+len(page.Reals))
	}
	return page, err
}

// One row of many is named from digests of ranges: the table does not travel. HARDDB_BIG=1 makes it a million rows.
func TestNamingOneRowOfManyTransfersFew(t *testing.T) {
	rows := 150_000
	if setting(t, "HARDDB_BIG", 0) > 0 {
		rows = 1_000_000
	}
	path := filepath.Join(t.TempDir(), "many.sqlite")
	makeMany(t, path, manyRows(rows))
	u := migrated(t, "mutation-in-many", path)
	u.mutate(fmt.Sprintf("UPDATE small SET b = -1 WHERE a = %d", rows*2/3))
	counted := &countedStores{Stores: u.engine.Stores}
	u.engine.Stores = counted
	lines := u.wantDifferent()
	if want := fmt.Sprintf(`table "small" row %d column "b": `, rows*2/3); !strings.HasPrefix(lines[0], want) {
		t.Errorf("named %q, want %q", lines[0], want)
	}
	t.Logf("%d rows: %d digests of ranges, %d pages with %d rows and %d bytes: %s", rows, counted.ranges, counted.pages, counted.rows, counted.bytes, lines[0])
	if counted.ranges > 150 || counted.rows > 1000 {
		t.Errorf("%d digests and %d rows to find one", counted.ranges, counted.rows)
	}
}

func makeMany(t *testing.T, path, statements string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("BEGIN;" + statements + ";COMMIT"); err != nil {
		t.Fatal(err)
	}
}

// countedFiles counts the bytes that come from the bucket.
type countedFiles struct {
	migrate.Files
	bytes int64
}

func (c *countedFiles) GetRange(ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, offset, length int64) ([]byte, userdb.Object, error) {
	content, object, err := c.Files.GetRange(ctx, key, ifMatch, offset, length)
	c.bytes += int64(len(content))
	return content, object, err
}

// The first look at a file of 50 MB that cannot be moved takes its schema and leaves the rows where they are.
func TestLookDeepDownloadsLittleOfABlockedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blocked.sqlite")
	makeMany(t, path, `CREATE TABLE large(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO large SELECT zeroblob(10000) FROM n;
		CREATE VIEW refused AS SELECT sqlite_version()`)
	u := newUser(t, "look-deep")
	object := u.upload(path)
	counted := &countedFiles{Files: u.engine.Files}
	u.engine.Files = counted
	report, err := u.engine.LookDeep(t.Context(), u.id)
	if err != nil {
		t.Fatal(err)
	}
	problems := report.Problems()
	if report.Verdict() != sqlitefile.Blocked || len(problems) != 1 || problems[0].Code != sqlitefile.ReasonFunction || problems[0].Object != "refused" {
		t.Errorf("%s: %+v", report.Verdict(), problems)
	}
	t.Logf("%d of %d bytes", counted.bytes, object.Size)
	if object.Size < 50_000_000 || counted.bytes > 4*sqlitefile.SkimBytes {
		t.Errorf("%d of %d bytes were read", counted.bytes, object.Size)
	}
}
