package sandbox

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
)

// doubling are views; each reads the one before twice, in an order in which none can be compiled when
// it is made. The last one takes 2^levels times what the first one takes, and SQLite does not look whether it
// should stop.
func doubling(levels int) []string {
	list := []string{"CREATE TABLE v0(x)"}
	for k := levels; k > 0; k-- {
		list = append(list, fmt.Sprintf("CREATE VIEW v%d AS SELECT a.x FROM v%d a, v%d b", k, k-1, k-1))
	}
	return list
}

// hostile are databases of a few kilobytes. Each takes for ever, or more memory or disk than there is.
var hostile = map[string]struct {
	statements []string
	says       string
}{
	"a view without end behind a full-text index": {[]string{
		"CREATE VIEW v(id, t) AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT n, 'word' FROM r WHERE n < 0",
		"CREATE VIRTUAL TABLE f USING fts5(t, content='v', content_rowid='id')"}, "takes more than 4s"},
	"rows without end, to be sorted": {[]string{
		"CREATE VIEW v(id, t) AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM r) SELECT n, hex(zeroblob(500)) FROM r ORDER BY 2",
		"CREATE VIRTUAL TABLE f USING fts5(t, content='v', content_rowid='id')"}, "a scratch file of more than 256 MiB"},
	"views of views": {
		append(doubling(40), "CREATE VIEW z AS SELECT * FROM v40"),
		"too many references",
	},
	"views of views in a trigger": {
		append(
			doubling(40),
			"CREATE TABLE t(a)",
			"CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO t SELECT x FROM v40; END",
		),
		"too many references",
	},
	"views of views, a little less": {
		append(doubling(14), "CREATE VIEW z AS SELECT * FROM v14"),
		"references to columns",
	},
	"a generated column that makes a large value": {
		[]string{
			"CREATE TABLE t(a, g AS (length(hex(printf('%1d', 1)))) NOT NULL)",
			"INSERT INTO t VALUES(1)",
			"UPDATE sqlite_schema SET sql = replace(sql, '%1d', '%400000000d')",
		},
		"a value of more than 5000000 bytes",
	},
	// SQLite cannot be stopped within one function.
	"a function that takes long": {
		[]string{
			"CREATE TABLE t(a, g AS (instr(zeroblob(4e0), zeroblob(2e0) || x'01')) NOT NULL)",
			"INSERT INTO t VALUES(1)",
			"UPDATE sqlite_schema SET sql = replace(sql, 'e0', 'e6')",
		},
		"takes more than 4s",
	},
}

// makeDatabase makes a database as an application would, except that nothing need work.
func makeDatabase(t testing.TB, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "user.sqlite")
	conn, err := capi.Open(path, capi.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.AllowSchemaEdits(); err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if err := conn.Exec(statement); err != nil {
			t.Fatalf("%.100s: %v", statement, err)
		}
	}
	return path
}
