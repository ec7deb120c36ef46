package appdb

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
)

func build(t *testing.T, seed uint64, size int64) (string, Stats) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "built.sqlite")
	stats, err := Build(t.Context(), path, seed, size)
	if err != nil {
		t.Fatal(err)
	}
	return path, stats
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestBuildIsDeterministic(t *testing.T) {
	one, _ := build(t, 7, 100_000)
	same, _ := build(t, 7, 100_000)
	other, _ := build(t, 8, 100_000)
	if !bytes.Equal(read(t, one), read(t, same)) {
		t.Error("the same seed gave other bytes")
	}
	if bytes.Equal(read(t, one), read(t, other)) {
		t.Error("another seed gave the same bytes")
	}
}

func TestBuildKeepsItsPromises(t *testing.T) {
	for _, test := range []struct {
		size, rows int64
	}{{20_000, 0}, {300_000, 0}, {S, 5_600}, {M, 56_000}} {
		path, stats := build(t, 1, test.size)
		if size := int64(len(read(t, path))); size != stats.Bytes || size < test.size ||
			size > test.size+60_000 {
			t.Errorf("asked for %d bytes, got %d, stats %+v", test.size, size, stats)
		}
		if test.rows > 0 && (stats.Rows < test.rows*9/10 || stats.Rows > test.rows*11/10) {
			t.Errorf("%d bytes hold %d rows", test.size, stats.Rows)
		}
		checkContent(t, path, stats)
	}
}

func checkContent(t *testing.T, path string, stats Stats) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range map[string]any{
		"PRAGMA integrity_check":                         "ok",
		"SELECT count(*) FROM pragma_foreign_key_check":  int64(0),
		"SELECT count(*) > 0 FROM clips":                 int64(1),
		"SELECT typeof(duration) FROM games LIMIT 1":     "real",
		"SELECT group_concat(name) FROM sqlite_sequence": "games",
		"SELECT (SELECT count(*) FROM games) + (SELECT count(*) FROM clips) + (SELECT count(*) FROM projects) + (SELECT count(*) FROM exports)": stats.Rows,
	} {
		var got any
		if err := db.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %v (%v)", query, got, err)
		}
	}
}

func TestBuildRefusesToOverwrite(t *testing.T) {
	path, _ := build(t, 1, 20_000)
	if _, err := Build(t.Context(), path, 1, 20_000); err == nil {
		t.Error("it overwrote a file")
	}
}
