package sqlitefile

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// TestCountEntries works the numbers out from the schema, for trees of one page and of several levels.
func TestCountEntries(t *testing.T) {
	for name, test := range map[string]struct {
		schema string
		want   func(n int64) Entries
	}{
		"rowid":          {`CREATE TABLE t (k, v)`, func(n int64) Entries { return Entries{Rows: n} }},
		"two indexes":    {`CREATE TABLE t (k UNIQUE, v); CREATE INDEX i ON t (v, k)`, func(n int64) Entries { return Entries{Rows: n, Index: 2 * n} }},
		"partial":        {`CREATE TABLE t (k, v); CREATE INDEX i ON t (v) WHERE k <= 10`, func(n int64) Entries { return Entries{Rows: n, Index: min(n, 10)} }},
		"without rowid":  {`CREATE TABLE t (k PRIMARY KEY, v) WITHOUT ROWID`, func(n int64) Entries { return Entries{Rows: n} }},
		"integer key":    {`CREATE TABLE t (k INTEGER PRIMARY KEY, v)`, func(n int64) Entries { return Entries{Rows: n} }},
		"autoincrement":  {`CREATE TABLE t (k INTEGER PRIMARY KEY AUTOINCREMENT, v)`, func(n int64) Entries { return Entries{Rows: n + 1} }},
		"name of a type": {`CREATE TABLE t (k, v); CREATE TABLE "index" (k)`, func(n int64) Entries { return Entries{Rows: n} }},
	} {
		for _, n := range []int64{1, 200, 20_000} {
			got := countOf(t, test.schema, n)
			if want := test.want(n); got != want {
				t.Errorf("%s, %d rows: %+v, want %+v", name, n, got, want)
			}
		}
	}
}

func countOf(t *testing.T, schema string, rows int64) Entries {
	t.Helper()
	path := filepath.Join(t.TempDir(), "database.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range []string{schema, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?) INSERT INTO t SELECT i, printf('%040d', i) FROM n`} {
		args := []any{rows}
		if text == schema {
			args = nil
		}
		if _, err := db.Exec(text, args...); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.CountEntries(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return got
}
