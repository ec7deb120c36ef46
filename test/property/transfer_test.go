package property

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// countedStores counts what a search for a difference asks for, and the rows that it gets.
type countedStores struct {
	migrate.Stores
	ranges, pages, rows, bytes int64
}

func (c *countedStores) Range(
	ctx context.Context,
	u userdb.UserID,
	req wire.RangeRequest,
) (wire.RangeDigest, error) {
	c.ranges++
	return c.Stores.Range(ctx, u, req)
}

func (c *countedStores) ExportRows(
	ctx context.Context,
	u userdb.UserID,
	req wire.ExportRequest,
) (*wire.ExportPage, error) {
	page, err := c.Stores.ExportRows(ctx, u, req)
	if err == nil {
		c.pages, c.rows, c.bytes = c.pages+1, c.rows+page.Rows, c.bytes+int64(len(page.Cells)+len(page.Reals))
	}
	return page, err
}

// One row of many is named from digests of ranges: the table does not travel. A whole run makes it a million
// rows.
func TestNamingOneRowOfManyTransfersFew(t *testing.T) {
	rows := effort.Amount(t, "rows", 60_000, 1_000_000)
	path := filepath.Join(t.TempDir(), "many.sqlite")
	makeMany(t, path, manyRows(rows))
	u := migrated(t, "mutation-in-many", path)
	u.mutate(fmt.Sprintf("UPDATE small SET b = -1 WHERE a = %d", rows*2/3))
	counted := &countedStores{Stores: u.engine.Stores}
	u.engine.Stores = counted
	lines := u.wantDifferent()
	if want := fmt.Sprintf(`table "small" row %d column "b": `, rows*2/3); !strings.HasPrefix(
		lines[0],
		want,
	) {
		t.Errorf("named %q, want %q", lines[0], want)
	}
	t.Logf(
		"%d rows: %d digests of ranges, %d pages with %d rows and %d bytes: %s",
		rows,
		counted.ranges,
		counted.pages,
		counted.rows,
		counted.bytes,
		lines[0],
	)
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

func (c *countedFiles) GetRange(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	offset, length int64,
) ([]byte, userdb.Object, error) {
	content, object, err := c.Files.GetRange(ctx, key, ifMatch, offset, length)
	c.bytes += int64(len(content))
	return content, object, err
}

func (c *countedFiles) Get(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	w io.Writer,
) (userdb.Object, error) {
	return c.Files.Get(ctx, key, ifMatch, io.MultiWriter(c, w))
}

func (c *countedFiles) Write(p []byte) (int, error) {
	c.bytes += int64(len(p))
	return len(p), nil
}

// many makes a file of 50 MB, with a schema that cannot be moved beside it.
func many(t *testing.T, blocked string) string {
	path := filepath.Join(t.TempDir(), "many.sqlite")
	makeMany(
		t,
		path,
		`CREATE TABLE large(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO large SELECT zeroblob(10000) FROM n;`+blocked,
	)
	return path
}

// wide is a table that no Durable Object takes.
var wide = "CREATE TABLE refused (c0" + columns(100) + ")"

func columns(n int) string {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, ", c%d", i+1)
	}
	return list.String()
}

// The first look at a file of 50 MB that cannot be moved takes its schema and leaves the rows where they are.
func TestLookDeepDownloadsLittleOfABlockedFile(t *testing.T) {
	u := newUser(t, "look-deep")
	object := u.upload(many(t, wide))
	counted := &countedFiles{Files: u.engine.Files}
	u.engine.Files = counted
	report, err := u.engine.Inspect().LookDeep(t.Context(), u.id)
	if err != nil {
		t.Fatal(err)
	}
	problems := report.Problems()
	if report.Verdict() != sqlitefile.Blocked || len(problems) != 1 ||
		problems[0].Code != sqlitefile.ReasonTooManyColumns ||
		problems[0].Object != "refused" {
		t.Errorf("%s: %+v", report.Verdict(), problems)
	}
	counted.demandLittle(t, object)
}

func (c *countedFiles) demandLittle(t *testing.T, object userdb.Object) {
	t.Helper()
	t.Logf("%d of %d bytes", c.bytes, object.Size)
	if object.Size < 50_000_000 || c.bytes > 6*preflight.SkimBytes {
		t.Errorf("%d of %d bytes were read", c.bytes, object.Size)
	}
}

// A migrate refuses what its header and schema block without downloading it, and moves what they do not
// block.
func TestMigrateDownloadsLittleOfABlockedFile(t *testing.T) {
	encrypted := filepath.Join(t.TempDir(), "encrypted.sqlite")
	if err := os.WriteFile(encrypted, randomBytes(50<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		want userdb.Kind
	}{
		"schema":    {many(t, wide), userdb.Blocked},
		"encrypted": {encrypted, userdb.NotSQLite},
		"healthy":   {many(t, ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUser(t, "first-look-"+name)
			object := u.upload(c.path)
			counted := &countedFiles{Files: u.engine.Files}
			u.engine.Files = counted
			r := u.engine.Migrate(t.Context(), u.id)
			if userdb.KindOf(r.Err()) != c.want || r.ETag != object.ETag || r.Bytes != object.Size {
				t.Fatalf(
					"%v; %d bytes, ETag %s, and it has %d and %s",
					r.Err(),
					r.Bytes,
					r.ETag,
					object.Size,
					object.ETag,
				)
			}
			if c.want != "" {
				counted.demandLittle(t, object)
			}
		})
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}
