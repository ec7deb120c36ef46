package sqlitefile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// makeApp makes a database like the application's: many short rows, some indexes, a few 20-KB blobs; about 12
// MB at scale 10.
func makeApp(tb testing.TB, scale int) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "app.db")
	conn, err := capi.Open(path, capi.Create)
	if err != nil {
		tb.Fatal(err)
	}
	n := scale * 1000
	execAll(
		tb,
		conn,
		"PRAGMA journal_mode=OFF",
		"PRAGMA synchronous=OFF",
		"CREATE TABLE games(id INTEGER PRIMARY KEY, title TEXT NOT NULL, played_at TEXT, score REAL, duration INTEGER, notes TEXT)",
		"CREATE TABLE clips(id INTEGER PRIMARY KEY, game_id INTEGER NOT NULL REFERENCES games(id), start REAL, stop REAL, label TEXT, thumbnail BLOB)",
		"CREATE TABLE exports(id TEXT PRIMARY KEY, clip_id INTEGER, settings TEXT, done INTEGER) WITHOUT ROWID",
		"CREATE INDEX clips_game ON clips(game_id)",
		"CREATE INDEX games_played ON games(played_at)",
		"BEGIN",
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n LIMIT %d)
			INSERT INTO games SELECT i, 'Game number ' || i, datetime(i*1000,'unixepoch'), i*1.37, i*61, hex(randomblob(50)) FROM n`, n),
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n LIMIT %d)
			INSERT INTO clips SELECT i, 1 + i %% %d, i*0.5, i*0.5+3.25, 'clip ' || i, CASE WHEN i %% 200 = 0 THEN randomblob(20000) END FROM n`, 4*n, n),
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n LIMIT %d)
			INSERT INTO exports SELECT hex(randomblob(16)), i, '{"width":1920,"height":1080,"codec":"h264"}', i %% 2 FROM n`, n/2),
		"COMMIT",
	)
	if err := conn.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

func benchFile(b *testing.B) (*File, int64) {
	path := makeApp(b, 10)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return openFile(b, path), info.Size()
}

func readAll(b *testing.B, f *File, yield func(t *Table) func([]wire.Value) error) {
	for i := range f.Tables() {
		t := &f.Tables()[i]
		if err := f.Rows(context.Background(), t, nil, yield(t)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRows(b *testing.B) {
	f, size := benchFile(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		readAll(
			b,
			f,
			func(*Table) func([]wire.Value) error { return func([]wire.Value) error { return nil } },
		)
	}
}

func BenchmarkRowsChecked(b *testing.B) {
	f, size := benchFile(b)
	b.SetBytes(size)
	for b.Loop() {
		readAll(b, f, func(t *Table) func([]wire.Value) error {
			c := NewRowChecker(t, wire.DefaultLimits)
			return func(row []wire.Value) error { c.Check(row); return nil }
		})
	}
}

func BenchmarkDigest(b *testing.B) {
	f, size := benchFile(b)
	b.SetBytes(size)
	for b.Loop() {
		if _, err := f.Digest(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIntegrity(b *testing.B) {
	f, size := benchFile(b)
	b.SetBytes(size)
	for b.Loop() {
		if _, err := f.CheckIntegrity(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	f, size := benchFile(b)
	b.SetBytes(size)
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "built.db")
		if err := tryRebuild(f, path); err != nil {
			b.Fatal(err)
		}
		os.Remove(path)
	}
}
