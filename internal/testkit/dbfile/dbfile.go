// Package dbfile makes SQLite files for tests by statements, as an application would, or by edits of the
// schema that no application makes.
package dbfile

import (
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
)

// Make makes a database with statements, and returns its path.
func Make(t testing.TB, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "user.db")
	change(t, path, capi.Create, func(conn *capi.Conn) { Exec(t, conn, statements...) })
	return path
}

// Exec executes statements.
func Exec(t testing.TB, conn *capi.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if err := conn.Exec(statement); err != nil {
			t.Fatalf("%.200s: %v", statement, err)
		}
	}
}

// Change opens the file for writing, and closes it when use is done.
func Change(t testing.TB, path string, use func(conn *capi.Conn)) {
	t.Helper()
	change(t, path, capi.ReadWrite, use)
}

// Edit executes statements that may change the rows of sqlite_schema.
func Edit(t testing.TB, path string, statements ...string) {
	t.Helper()
	Change(t, path, func(conn *capi.Conn) {
		AllowSchemaEdits(t, conn)
		Exec(t, conn, statements...)
	})
}

// AllowSchemaEdits lets the statements that follow change the rows of sqlite_schema.
func AllowSchemaEdits(t testing.TB, conn *capi.Conn) {
	t.Helper()
	if err := conn.AllowSchemaEdits(); err != nil {
		t.Fatal(err)
	}
}

func change(t testing.TB, path string, mode capi.Mode, use func(conn *capi.Conn)) {
	t.Helper()
	conn, err := capi.Open(path, mode)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	use(conn)
}
