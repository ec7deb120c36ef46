package preflight

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/dbfile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestDamageBehindManyWarnings: SQLite ends an integrity check after so many messages. Those of an index that
// another SQLite computed must not hide an index that does not match its table.
func TestDamageBehindManyWarnings(t *testing.T) {
	rows := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t(r) SELECT i / 7.0 FROM n"
	path := computedBefore(
		t,
		"r*2",
		"r*3",
		"CREATE TABLE z(a NOT NULL)",
		"CREATE INDEX zi ON z(a)",
		"INSERT INTO z VALUES (1), (2)",
		"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL)",
		"CREATE INDEX i ON t(r*2)",
		rows,
	)
	for _, step := range [][]string{
		{"CREATE TABLE keep(page)", "INSERT INTO keep SELECT rootpage FROM sqlite_schema WHERE name = 'zi'", "DELETE FROM sqlite_schema WHERE name = 'zi'"},
		{"UPDATE z SET a = 9 WHERE a = 2"},
		{"INSERT INTO sqlite_schema SELECT 'index', 'zi', 'z', page, 'CREATE INDEX zi ON z(a)' FROM keep"},
	} {
		dbfile.Edit(t, path, step...)
	}
	if report := preflight(t, path); userdb.KindOf(report.Err()) != userdb.Damaged {
		t.Errorf("got %v", report.Err())
	}
}
