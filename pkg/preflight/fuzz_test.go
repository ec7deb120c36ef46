package preflight

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// fuzzSeeds are small databases with something of everything, so that mutations reach far.
func fuzzSeeds(tb testing.TB) [][]byte {
	var seeds [][]byte
	for _, statements := range [][]string{
		{"PRAGMA page_size=512", "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL)", "INSERT INTO t VALUES(1,'x',2.5),(2,zeroblob(900),NULL)", "CREATE INDEX i ON t(b, c)"},
		{"PRAGMA page_size=512", "CREATE TABLE w(a TEXT COLLATE NOCASE, b, PRIMARY KEY(a DESC)) WITHOUT ROWID", "INSERT INTO w VALUES('a',1),('B',2)",
			"CREATE VIEW v AS SELECT a FROM w UNION SELECT b FROM w", "CREATE TABLE l(x)", "CREATE TRIGGER tr AFTER INSERT ON w BEGIN INSERT INTO l VALUES(upper(new.a)); END"},
		{"PRAGMA page_size=512", "CREATE VIRTUAL TABLE f USING fts5(a)", "INSERT INTO f VALUES('one two')"},
		{"PRAGMA page_size=512", "CREATE TABLE d(a)", "INSERT INTO d VALUES('x')", "CREATE VIRTUAL TABLE f USING fts5(a, content=d)", "INSERT INTO f(f) VALUES('rebuild')"},
		{"PRAGMA page_size=512", "CREATE VIRTUAL TABLE r USING rtree(i,a,b)", "INSERT INTO r VALUES(1,2,3)"},
		{"PRAGMA page_size=512", "PRAGMA encoding='UTF-16be'", "PRAGMA auto_vacuum=2", "CREATE TABLE g(a INTEGER PRIMARY KEY AUTOINCREMENT, b AS (a+1), c TEXT)",
			"INSERT INTO g(c) VALUES('é𝕊')"},
		{"PRAGMA page_size=512", "CREATE TABLE t(a)", "CREATE INDEX i ON t(a)", "INSERT INTO t VALUES(1)", "ANALYZE"},
	} {
		content, err := os.ReadFile(makeFile(tb, statements...))
		if err != nil {
			tb.Fatal(err)
		}
		seeds = append(seeds, content)
	}
	return seeds
}

// FuzzCheck: whatever the bytes are, the check ends, and what passes it can be read and rebuilt to the
// same digest. Run it with -fuzzminimizetime 1x: coverage of the translated SQLite differs from run to run,
// and minimizing never ends.
func FuzzCheck(f *testing.F) {
	for _, seed := range fuzzSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		withinBounds(t, func() { judge(t, path) })
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 2 {
			t.Fatalf("something was left behind: %v, %v", entries, err)
		}
	})
}

// wantRoundTrip: SQLite computes a value again in a generated column, or in a constraint that the file
// violates. Such a value may still be refused while it is built. It may never come back as another one
// without being noticed.
func wantRoundTrip(t *testing.T, ctx context.Context, path string) {
	f, err := sqlitefile.Open(ctx, path)
	if err != nil {
		t.Fatalf("passed the check, and cannot be opened: %v", err)
	}
	defer f.Close()
	before, err := f.Digest(ctx)
	if err != nil {
		t.Fatalf("passed the check, and cannot be read: %v", err)
	}
	built := filepath.Join(filepath.Dir(path), "built.db")
	if err := tryRebuild(f, built); err != nil {
		if userdb.KindOf(err) == userdb.Internal {
			t.Logf("not built: %v", err)
		}
		return
	}
	g, err := sqlitefile.Open(ctx, built)
	if err != nil {
		t.Fatalf("built, and cannot be opened: %v", err)
	}
	defer g.Close()
	after, err := g.Digest(ctx)
	if err != nil {
		t.Fatalf("built, and cannot be read: %v", err)
	}
	if before.Database != after.Database && !holdsStored(f) {
		t.Fatalf("came back as another database: %+v, %+v", before, after)
	}
}

func holdsStored(f *sqlitefile.File) bool {
	for _, table := range f.Tables() {
		for _, c := range table.Columns {
			if c.Generated == sqlitefile.GeneratedStored {
				return true
			}
		}
	}
	return false
}
