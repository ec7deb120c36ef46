package split_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/internal/appdb"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// at is the moment of the tests.
var at = time.Date(2026, 11, 26, 7, 0, 0, 0, time.UTC)

// policy reads a policy from the text of a TOML file.
func policy(t *testing.T, text string) *split.Policy {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := split.LoadPolicy(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// database makes a file with the given statements.
func database(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "user.sqlite")
	change(t, path, statements...)
	return path
}

func change(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// rows are a query's rows, as text, joined.
func rows(t *testing.T, path, query string) string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var joined sql.NullString
	if err := db.QueryRow("SELECT group_concat(r, ' ') FROM (SELECT (" + query + ")").Scan(&joined); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return joined.String
}

func digest(t *testing.T, path string) wire.DatabaseDigest {
	t.Helper()
	f, err := sqlitefile.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := f.Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const appPolicy = `
[tables.games]
where = "played_at < (:now - 400 * 86400) * 1000"
[tables.clips]
ids = "application"
[tables.exports]
where = "status IN ('done', 'failed') AND finished_at < :now - 400 * 86400"
ids = "application"
references = [{ columns = ["project_id"], table = "projects", to = ["id"] }]
[tables.projects]
where = "created_at < (:now - 800 * 86400) * 1000"
`

func TestApplicationDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "user.sqlite")
	if _, err := appdb.Build(context.Background(), path, 1, appdb.M); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	plan, err := split.NewPlan(context.Background(), path, policy(t, appPolicy), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %v", plan, time.Since(start))
	start = time.Now()
	hot, cold, err := plan.WriteParts(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(hot, cold, plan.HotBytes, time.Since(start))
}
