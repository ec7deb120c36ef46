package split_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// at is the moment of the tests: 1,795,676,400 seconds since 1970.
var at = time.Date(2026, 11, 26, 7, 0, 0, 0, time.UTC)

// policy reads a policy from the text of a TOML file.
func policy(t *testing.T, text string) *split.Policy {
	t.Helper()
	p, err := split.LoadPolicy(written(t, "policy.toml", text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// database makes a file with the given statements.
func database(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "user.sqlite")
	change(t, path, statements...)
	return path
}

func change(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// rows are a query's rows, one column as text, joined by spaces.
func rows(t *testing.T, path, query string) string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?immutable=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.Query(query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer found.Close()
	var texts []string
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

func wantRows(t *testing.T, path, query, want string) {
	t.Helper()
	if got := rows(t, path, query); got != want {
		t.Errorf("%s: %s gives %q, want %q", filepath.Ext(path), query, got, want)
	}
}

func digest(t *testing.T, path string) wire.DatabaseDigest {
	t.Helper()
	f, err := sqlitefile.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := f.Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// parts splits a database.
func parts(t *testing.T, path string, p *split.Policy) (hot, cold string) {
	t.Helper()
	plan, err := split.NewPlan(context.Background(), path, p, at)
	if err != nil {
		t.Fatal(err)
	}
	hot, cold, err = plan.WriteParts(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return hot, cold
}

// union joins two parts.
func union(t *testing.T, hot, cold string, reference ...string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "whole.sqlite")
	err := split.Union(context.Background(), hot, cold, path, reference...)
	if _, statErr := os.Stat(path); err != nil && !errors.Is(statErr, os.ErrNotExist) {
		t.Errorf("a failed union left its file behind (%v)", err)
	}
	return path, err
}

func wantError(t *testing.T, err error, kind userdb.Kind, words ...string) {
	t.Helper()
	if userdb.KindOf(err) != kind {
		t.Errorf("kind %q, want %q: %v", userdb.KindOf(err), kind, err)
	}
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}
