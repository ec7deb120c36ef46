package split_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string can be written
	}
	return string(b)
}

const appPolicy = `
[tables.games]
where = "played_at < (:now - 400 * 86400) * 1000"
[tables.clips]
ids = "application"
[tables.projects]
where = "created_at < (:now - 800 * 86400) * 1000"
[tables.exports]
ids = "application"
references = [{ columns = ["project_id"], table = "projects", to = ["id"] }]
`

func TestApplicationDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "user.sqlite")
	if _, err := appdb.Build(context.Background(), path, 1, appdb.S); err != nil {
		t.Fatal(err)
	}
	plan, err := split.NewPlan(context.Background(), path, policy(t, appPolicy), at)
	if err != nil {
		t.Fatal(err)
	}
	hot, cold, err := plan.WriteParts(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range plan.Tables {
		if table.ColdRows == 0 || table.HotRows == 0 || table.ColdBytes == 0 {
			t.Errorf("%+v", table)
		}
	}
	if off := float64(plan.HotBytesEstimate)/float64(plan.HotBytes) - 1; off < -0.2 || off > 0.2 {
		t.Errorf("the hot file was estimated at %d and has %d bytes", plan.HotBytesEstimate, plan.HotBytes)
	}
	wantRows(t, cold, "SELECT max(played_at) < 1795676400000 - 400*86400000 FROM games", "1")
	wantRows(t, hot, "SELECT min(played_at) >= 1795676400000 - 400*86400000 FROM games", "1")
	wantRows(t, hot, "SELECT count(*) FROM clips WHERE game_id NOT IN (SELECT id FROM games)", "0")
	wantRows(t, cold, "SELECT count(*) FROM clips WHERE game_id NOT IN (SELECT id FROM games)", "0")
	wantRows(
		t,
		hot,
		"SELECT (SELECT seq FROM sqlite_sequence) = "+rows(t, path, "SELECT seq FROM sqlite_sequence"),
		"1",
	)
}

// Hot rows that come and go leave the cold part as it is, so that it need not be copied again:
// AUTOINCREMENT's counter as well.
func TestColdPartStaysWhileHotRowsChange(t *testing.T) {
	path, p := database(t, family...), policy(t, "[tables.games]\nwhere = 'played < 25'")
	hot, before := parts(t, path, p)
	wantRows(t, hot, "SELECT seq FROM sqlite_sequence", "3")
	wantRows(t, before, "SELECT seq FROM sqlite_sequence", "2")
	change(
		t,
		path,
		"INSERT INTO games(played) VALUES(70)",
		"DELETE FROM games WHERE id = 3",
		"CREATE TABLE other(id INTEGER PRIMARY KEY AUTOINCREMENT)",
		"DROP TABLE other",
	)
	_, after := parts(t, path, p)
	if digest(t, before).Database != digest(t, after).Database {
		t.Error("the cold part changed")
	}
}

// Counters that somebody set lower than the rows that are there, or to no number, stay what they are.
func TestStrangeCounters(t *testing.T) {
	path := database(
		t,
		append(
			family,
			"UPDATE sqlite_sequence SET seq = 1",
			"INSERT INTO sqlite_sequence VALUES('gone', 9), ('games', NULL), (NULL, 3), ('games', 'x')",
		)...)
	hot, cold := parts(t, path, policy(t, "[tables.games]\nwhere = 'played < 25'"))
	wantRows(t, hot, "SELECT count(*) FROM sqlite_sequence", "5")
	whole, err := union(t, hot, cold)
	if err != nil {
		t.Fatal(err)
	}
	if digest(t, whole).Database != digest(t, path).Database {
		t.Error("together the parts are another database")
	}
}

// A rowid that no column shows stays, in a table without an index, too: VACUUM alone would renumber these
// rows.
func TestHiddenRowidsStay(t *testing.T) {
	path := database(
		t,
		"CREATE TABLE t(v)",
		"INSERT INTO t(rowid, v) VALUES(-5, 'a'), (3, 'b'), (70, 'a'), (900, 'b')",
	)
	hot, cold := parts(t, path, policy(t, "[tables.t]\nwhere = \"v = 'a'\""))
	wantRows(t, hot, "SELECT rowid FROM t", "3 900")
	wantRows(t, cold, "SELECT rowid FROM t", "-5 70")
	plain := database(t, "CREATE TABLE t(v)", "INSERT INTO t(rowid, v) VALUES(3, 'b'), (900, 'b')", "VACUUM")
	wantRows(t, plain, "SELECT rowid FROM t", "1 2")
}

// What stands in the header stays, and no mark does.
func TestHeaderStays(t *testing.T) {
	for _, test := range []struct{ name, pragma string }{
		{"plain", "PRAGMA page_size = 1024"}, {"utf16", "PRAGMA encoding = 'UTF-16be'"}, {"vacuum", "PRAGMA auto_vacuum = INCREMENTAL"}, {"wal", "PRAGMA page_size = 8192"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := database(
				t,
				test.pragma,
				"PRAGMA user_version = -7",
				"PRAGMA application_id = 252006673",
				"CREATE TABLE t(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
				"INSERT INTO t VALUES('ä', 1), ('b', 2), (char(65279), 3), ('東京', 4)",
			)
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if test.name == "wal" {
				content[18], content[19] = 2, 2
			}
			want := written(t, "unmarked.sqlite", string(content))
			head, err := userdb.WithFence(
				content[:userdb.HeaderBytes],
				3,
				4,
				make([]byte, userdb.MarkRandomBytes),
			)
			if err != nil {
				t.Fatal(err)
			}
			fenced := written(t, "fenced.sqlite", string(head)+string(content[userdb.HeaderBytes:]))
			hot, cold := parts(t, fenced, policy(t, "[tables.t]\nwhere = 'v > 2'"))
			whole, err := union(t, hot, cold)
			if err != nil {
				t.Fatal(err)
			}
			header := headerOf(t, want)
			for _, part := range []string{hot, cold, whole} {
				if got := headerOf(t, part); got != header {
					t.Errorf("%s: %s, want %s", filepath.Ext(part), got, header)
				}
			}
			if digest(t, whole).Database != digest(t, want).Database {
				t.Error("together the parts are another database")
			}
		})
	}
}

// headerOf is what a file's header says; a mark would be in it.
func headerOf(t *testing.T, path string) string {
	t.Helper()
	f, err := sqlitefile.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := json.Marshal([]any{f.Header(), f.Mark()})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A split reads its file only.
func TestTheFileStaysAsItIs(t *testing.T) {
	path := database(t, family...)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parts(t, path, policy(t, "[tables.games]\nwhere = 'id = 1'"))
	after, err := os.ReadFile(path)
	if err != nil || string(before) != string(after) {
		t.Errorf("the file changed (%v)", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("beside it lie %v (%v)", entries, err)
	}
}

// Virtual tables stay in the hot part; in the cold one they are empty and work.
func TestVirtualTables(t *testing.T) {
	path := database(t, append(
		family,
		"CREATE VIRTUAL TABLE own USING fts5(body)",
		"INSERT INTO own(rowid, body) VALUES(5, 'one two'), (9, 'two three')",
		"CREATE TABLE docs(id INTEGER PRIMARY KEY, body)",
		"INSERT INTO docs VALUES(1, 'four'), (2, 'five')",
		"CREATE VIRTUAL TABLE other USING fts5(body, content='docs', content_rowid='id')",
		"INSERT INTO other(other) VALUES('rebuild')",
		"CREATE VIRTUAL TABLE box USING rtree(id, x0, x1)",
		"INSERT INTO box VALUES(1, 0, 1), (2, 2, 3)",
	)...)
	hot, cold := parts(t, path, policy(t, "[tables.games]\nwhere = 'id = 1'"))
	wantRows(
		t,
		hot,
		"SELECT rowid FROM own WHERE own MATCH 'two' UNION ALL SELECT rowid FROM other WHERE other MATCH 'five' UNION ALL SELECT id FROM box WHERE x0 > 1",
		"5 9 2 2",
	)
	wantRows(
		t,
		cold,
		"SELECT count(*) FROM own UNION ALL SELECT count(*) FROM docs UNION ALL SELECT count(*) FROM box",
		"0 0 0",
	)
	change(
		t,
		cold,
		"INSERT INTO own VALUES('again two')",
		"INSERT INTO box VALUES(7, 5, 6)",
		"INSERT INTO docs VALUES(3, 'five six')",
	)
	wantRows(t, cold, "SELECT rowid FROM own WHERE own MATCH 'two'", "1")
	whole, err := union(t, hot, cold)
	if err != nil {
		t.Fatal(err)
	}
	wantRows(
		t,
		whole,
		"SELECT rowid FROM own WHERE own MATCH 'two' UNION ALL SELECT rowid FROM other WHERE other MATCH 'five' UNION ALL SELECT id FROM box WHERE x0 > 1",
		"1 5 9 2 3 2 7",
	)
}
