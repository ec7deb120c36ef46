package preflight

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/dbfile"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// How files are made.
var (
	makeFile         = dbfile.Make
	execAll          = dbfile.Exec
	allowSchemaEdits = dbfile.AllowSchemaEdits
)

func openFile(t testing.TB, path string) *sqlitefile.File {
	t.Helper()
	f, err := sqlitefile.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// rebuild reads a whole file and rebuilds it in another one.
func rebuild(t testing.TB, f *sqlitefile.File) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "built.db")
	if err := tryRebuild(f, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func tryRebuild(f *sqlitefile.File, path string) error {
	ctx := context.Background()
	schema, err := f.Schema()
	if err != nil {
		return err
	}
	b, err := sqlitefile.Create(path, schema)
	if err != nil {
		return err
	}
	defer b.Abort()
	for i := range f.Tables() {
		table := &f.Tables()[i]
		in, err := b.Into(table.Name, table.Cells)
		if err != nil {
			return err
		}
		if err := f.Rows(ctx, table, nil, in.Add); err != nil {
			return err
		}
	}
	return b.Finish(ctx)
}

func digestOf(t testing.TB, f *sqlitefile.File) wire.DatabaseDigest {
	t.Helper()
	d, err := f.Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// findingIn returns the finding that an error carries.
func findingIn(t testing.TB, err error) *sqlitefile.Finding {
	t.Helper()
	var f *sqlitefile.Finding
	if !errors.As(err, &f) {
		t.Fatalf("no finding in %v", err)
	}
	return f
}

func wantKind(t testing.TB, err error, kind userdb.Kind) {
	t.Helper()
	if got := userdb.KindOf(err); got != kind {
		t.Errorf("error of kind %q, want %q: %v", got, kind, err)
	}
}
