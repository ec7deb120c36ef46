package capi

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/pkg/value"
)

func open(t *testing.T, path string, mode Mode) *Conn {
	t.Helper()
	c, err := Open(path, mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func exec(t *testing.T, c *Conn, sqls ...string) {
	t.Helper()
	for _, sql := range sqls {
		if err := c.Exec(sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func TestValuesComeBackExactly(t *testing.T) {
	row := []value.Value{
		{
			Class: value.Null,
		}, {Class: value.Integer, Int: math.MinInt64}, {Class: value.Real, Real: math.Copysign(0, -1)},
		{Class: value.Text, Bytes: []byte("a\x00b\xff")}, {Class: value.Blob, Bytes: []byte{0, 255}},
		{Class: value.Text}, {Class: value.Blob}, {Class: value.Real, Real: math.Inf(1)},
	}
	c := open(t, "", Memory)
	exec(t, c, "CREATE TABLE t(a,b,c,d,e,f,g,h)")
	if err := c.Exec("INSERT INTO t VALUES(?,?,?,?,?,?,?,?)", row...); err != nil {
		t.Fatal(err)
	}
	rows := 0
	err := c.Query("SELECT * FROM t", nil, func(s *Stmt) error {
		rows++
		got := make([]value.Value, s.Columns())
		s.Row(got)
		for i := range row {
			same := got[i].Class == row[i].Class && got[i].Int == row[i].Int &&
				string(got[i].Bytes) == string(row[i].Bytes) &&
				math.Float64bits(got[i].Real) == math.Float64bits(row[i].Real)
			if !same {
				t.Errorf("column %d: %+v, want %+v", i, got[i], row[i])
			}
		}
		return nil
	})
	if err != nil || rows != 1 {
		t.Fatalf("%d rows, %v", rows, err)
	}
}

func TestPathsAreNotURIs(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"plain.db", "a?mode=memory", "file:x?y=1", "100%41#b", "sp ace\"'"} {
		path := filepath.Join(dir, name)
		c := open(t, path, Create)
		exec(t, c, "CREATE TABLE t(a)")
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%q: the file is somewhere else: %v", name, err)
		}
		reader := open(t, path, Immutable)
		if err := reader.Exec("SELECT a FROM t"); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if err := reader.Exec("INSERT INTO t VALUES(1)"); err == nil {
			t.Errorf("%q: an immutable database was written", name)
		}
	}
}

func TestPrepareTakesOneStatement(t *testing.T) {
	c := open(t, "", Memory)
	for _, sql := range []string{"", "-- only a comment", "SELECT 1; SELECT 2", "SELECT 1; nonsense", "SELECT 1\x00", "ATTACH ':memory:' AS x"} {
		if err := c.Exec(sql); err == nil {
			t.Errorf("%q was accepted", sql)
		}
	}
	if err := c.Exec("SELECT 1; -- done\n;"); err != nil {
		t.Errorf("a trailing comment: %v", err)
	}
}

func TestNothingFires(t *testing.T) {
	c := open(t, "", Memory)
	exec(
		t,
		c,
		"CREATE TABLE p(id INTEGER PRIMARY KEY)",
		"CREATE TABLE t(a CHECK(a > 0), b REFERENCES p(id))",
		"CREATE TABLE log(a)",
		"CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES(new.a); END",
		"INSERT INTO t VALUES(-1, 99)",
	)
	if err := c.Query("SELECT count(*) FROM log", nil, func(s *Stmt) error {
		if s.Int(0) != 0 {
			t.Error("the trigger fired")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestWatchInterrupts(t *testing.T) {
	c := open(t, "", Memory)
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := c.Watch(ctx)
	why := errors.New("enough")
	cancel(why)
	err := c.Exec("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n")
	if !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
	stop()
	if err := c.Exec("WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n LIMIT 100000) SELECT max(i) FROM n"); err != nil {
		t.Errorf("after stop: %v", err)
	}
}

func TestAuthorize(t *testing.T) {
	c := open(t, "", Memory)
	if err := c.Authorize(func(a Action) bool {
		return a.Code != sqlite3.SQLITE_FUNCTION || strings.EqualFold(a.Second, "abs")
	}); err != nil {
		t.Fatal(err)
	}
	exec(t, c, "SELECT ABS(-1)")
	err := c.Exec("SELECT upper('a')")
	if err == nil || PrimaryCode(err) == 0 {
		t.Errorf("upper: %v", err)
	}
	t.Log(err)
}

func TestKeepModules(t *testing.T) {
	c := open(t, "", Memory)
	if err := c.KeepModules("fts5", "rtree"); err != nil {
		t.Fatal(err)
	}
	exec(t, c, "CREATE VIRTUAL TABLE f USING fts5(a)", "CREATE VIRTUAL TABLE r USING rtree(i, a, b)")
	if err := c.Exec("CREATE VIRTUAL TABLE d USING dbstat"); err == nil {
		t.Error("dbstat is still there")
	}
	if err := c.Exec("CREATE VIRTUAL TABLE g USING geopoly(a)"); err == nil {
		t.Error("geopoly is still there")
	}
}

// A WAL header, with no -wal beside it, and a write version that no SQLite knows are both readable.
func TestImmutableReadsAnyVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	c := open(t, path, Create)
	exec(t, c, "CREATE TABLE t(a)", "INSERT INTO t VALUES(5)")
	for _, versions := range [][2]byte{{1, 1}, {2, 2}, {255, 2}, {255, 1}} {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(versions[:], 18); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := open(t, path, Immutable).Exec("SELECT a FROM t"); err != nil {
			t.Errorf("%v: %v", versions, err)
		}
	}
}
