package preflight

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/testkit/dbfile"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// computedBefore makes a file in which an older SQLite computed: under another expression than the schema has
// now.
func computedBefore(t *testing.T, from, to string, statements ...string) string {
	t.Helper()
	path := makeFile(t, statements...)
	conn, err := capi.Open(path, capi.ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	allowSchemaEdits(t, conn)
	if err := conn.Exec("UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2)", wire.TextValue(from), wire.TextValue(to)); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIndexesThatAnotherVersionComputed(t *testing.T) {
	rows := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 300) INSERT INTO t(r) SELECT i / 7.0 FROM n"
	for name, c := range map[string]struct {
		schema []string
		want   string
	}{
		"an expression":        {[]string{"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL)", "CREATE INDEX i ON t(r*2)"}, "warning index-computed i"},
		"beside a column":      {[]string{"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL)", "CREATE INDEX i ON t(r, r*2)"}, "warning index-computed i"},
		"a generated column":   {[]string{"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL, g AS (r*2))", "CREATE INDEX i ON t(g)"}, "warning index-computed i"},
		"a quoted name":        {[]string{"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL)", `CREATE INDEX "i""x" ON t(r*2)`}, `warning index-computed i"x`},
		"WITHOUT ROWID":        {[]string{"CREATE TABLE t(r REAL PRIMARY KEY) WITHOUT ROWID", "CREATE INDEX i ON t(r*2)"}, "warning index-computed i"},
		"a unique index":       {[]string{"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL)", "CREATE UNIQUE INDEX i ON t(r*2)"}, "blocked damaged i"},
		"a partial index":      {[]string{"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL)", "CREATE INDEX i ON t(id) WHERE r*2 > 10"}, "blocked damaged i"},
		"a plain index, sound": {[]string{"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL)", "CREATE INDEX i ON t(r)"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := computedBefore(t, "r*2", "r*3", append(c.schema, rows)...)
			report := preflight(t, path)
			var got []string
			for _, f := range report.Findings {
				got = append(got, fmt.Sprintf("%s %s %s", f.Level, f.Reason, f.Object))
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("%+v", report)
			}
			if report.Err() == nil {
				rebuild(t, openFile(t, path))
			}
		})
	}
}

// An index over an expression that lacks rows is damaged: they may be what is lost.
func TestShortIndexOverAnExpression(t *testing.T) {
	path := makeFile(
		t,
		"CREATE TABLE t(a NOT NULL)",
		"CREATE INDEX i ON t(a*2)",
		"INSERT INTO t VALUES(1), (2)",
	)
	dbfile.Edit(
		t,
		path,
		"CREATE TEMP TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'i'",
		"DELETE FROM sqlite_schema WHERE name = 'i'",
	)
	// The row is written by a connection that does not know the index; its entry is put back by the next one.
	for _, statements := range [][]string{{"INSERT INTO t VALUES(3)"}, {"INSERT INTO sqlite_schema VALUES('index', 'i', 't', 3, 'CREATE INDEX i ON t(a*2)')"}} {
		dbfile.Edit(t, path, statements...)
	}
	if got := reasonsOf(preflight(t, path).Findings); !slices.Equal(got, []sqlitefile.Reason{sqlitefile.ReasonDamaged}) {
		t.Errorf("%v", got)
	}
}

func TestStoredColumnsThatAnotherVersionComputed(t *testing.T) {
	path := computedBefore(
		t,
		"r*2",
		"r*3",
		"CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL, g AS (r*2) STORED, h AS (id || 'x') STORED)",
		"INSERT INTO t(r) VALUES(0), (1.5), (NULL), (2)",
		"CREATE TABLE sound(a, b AS (a + 1) STORED)",
		"INSERT INTO sound(a) VALUES(1), ('x'), (NULL), (x'00')",
	)
	report := preflight(t, path)
	wantOne(t, report, sqlitefile.ReasonStoredComputed, "t")
	f := report.Findings[0]
	if f.Column != "g" || f.Key != "2" || f.Count != 2 || f.Level != sqlitefile.Fixable ||
		!strings.Contains(f.Detail, "REAL 3,") ||
		!strings.Contains(f.Detail, "REAL 4.5") {
		t.Errorf("%+v", f)
	}
	way, _, _ := strings.Cut(f.WayOut, " with SQLite")
	dbfile.Change(t, path, func(conn *capi.Conn) { execAll(t, conn, way) })
	if report := preflight(t, path); report.Err() != nil {
		t.Errorf("after %s: %+v", way, report)
	}
}

// A full-text index that is damaged is rebuilt from its content, which is whole.
func TestDamagedFullTextIndex(t *testing.T) {
	for name, content := range map[string]string{"external content": "content='docs', content_rowid='id'", "its own content": "tokenize=unicode61"} {
		t.Run(name, func(t *testing.T) {
			fill := "INSERT INTO f(f) VALUES('rebuild')"
			if name == "its own content" {
				fill = "INSERT INTO f(body) SELECT body FROM docs"
			}
			path := makeFile(
				t,
				"CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT)",
				"CREATE VIRTUAL TABLE f USING fts5(body, "+content+")",
				"INSERT INTO docs(body) SELECT 'word alpha ' || value FROM json_each('[1,2,3,4,5,6,7,8,9]')",
				fill,
			)
			dbfile.Edit(t, path, "UPDATE f_data SET block = zeroblob(length(block)) WHERE id > 10")
			report := preflight(t, path)
			wantOne(t, report, sqlitefile.ReasonFTS5OutOfStep, "f")
			dbfile.Change(t, path, func(conn *capi.Conn) { execAll(t, conn, report.Findings[0].WayOut) })
			if report, err := Check(context.Background(), filepath.Clean(path), wire.DefaultLimits); err != nil ||
				report.Err() != nil {
				t.Errorf("after the rebuild: %+v, %v", report, err)
			}
		})
	}
}
