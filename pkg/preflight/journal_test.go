package preflight

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// account has a balance that is easily found, and a full-text table with a check that needs a writable file.
var account = []string{
	"PRAGMA page_size=1024", "CREATE TABLE account(id INTEGER PRIMARY KEY, balance, note)",
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200) INSERT INTO account SELECT i, 100, zeroblob(500) FROM n",
	"CREATE TABLE docs(body)", "CREATE VIRTUAL TABLE search USING fts5(body, content='docs')", "INSERT INTO docs VALUES('word')", "INSERT INTO search(search) VALUES('rebuild')",
}

// spent is a file in which every balance is 1, and beside it what would bring 100 back. It is made as SQLite
// itself makes it.
func spent(t *testing.T, suffix string) (file, sibling []byte) {
	t.Helper()
	path := makeFile(t, account...)
	conn, err := capi.Open(path, capi.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	read := func(path string) []byte {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	if suffix == "-wal" {
		execAll(
			t,
			conn,
			"UPDATE account SET balance = 1",
			"PRAGMA journal_mode=WAL",
			"PRAGMA wal_autocheckpoint=0",
			"UPDATE account SET balance = 100",
		)
		return read(path), read(path + suffix)
	}
	execAll(t, conn, "PRAGMA cache_size=1", "BEGIN", "UPDATE account SET balance = 0, note = zeroblob(501)")
	sibling = read(path + suffix)
	execAll(t, conn, "ROLLBACK", "UPDATE account SET balance = 1")
	return read(path), sibling
}

func balance(t *testing.T, path string, mode capi.Mode) (least int64) {
	t.Helper()
	conn, err := capi.Open(path, mode)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Query("SELECT max(balance) FROM account", nil, func(s *capi.Stmt) error { least = s.Int(0); return nil }); err != nil {
		t.Fatal(err)
	}
	return least
}

// A journal or log that somebody puts beside the file never gets into it, nor into what is read from it.
func TestPlantedJournalsAreNotReplayed(t *testing.T) {
	ctx := context.Background()
	digest := func(path string) (string, error) {
		f, err := sqlitefile.Open(ctx, path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		d, err := f.Digest(ctx)
		return d.Database, err
	}
	uses := map[string]func(path string) error{
		"preflight": func(path string) error { _, err := Check(ctx, path, wire.DefaultLimits); return err },
		"survey":    func(path string) error { _, err := Survey(ctx, path, wire.DefaultLimits); return err },
		"digest":    func(path string) error { _, err := digest(path); return err },
	}
	for _, suffix := range []string{"-journal", "-wal"} {
		file, sibling := spent(t, suffix)
		plant := func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "spool.sqlite")
			for name, content := range map[string][]byte{path: file, path + suffix: sibling} {
				if err := os.WriteFile(name, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return path
		}
		if got := balance(t, plant(t), capi.Create); got != 100 {
			t.Fatalf("the %s is none that SQLite replays: the balance is %d", suffix, got)
		}
		for name, use := range uses {
			t.Run(name+suffix, func(t *testing.T) {
				path := plant(t)
				err := use(path)
				if err != nil &&
					!strings.Contains(err.Error(), "spool.sqlite"+suffix+" lies beside the file") {
					t.Errorf("refused for another reason: %v", err)
				}
				if now, readErr := os.ReadFile(path); readErr != nil || !bytes.Equal(now, file) {
					t.Errorf("the file was changed (%v)", readErr)
				}
				if got := balance(t, path, capi.Immutable); got != 1 {
					t.Errorf("the balance is read as %d", got)
				}
			})
		}
	}
}
