package sqlitefile

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/dbfile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// How files are made.
var (
	makeFile = dbfile.Make
	execAll  = dbfile.Exec
)

func openFile(t testing.TB, path string) *File {
	t.Helper()
	f, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// rebuild reads a whole file and rebuilds it in another one.
func rebuild(t testing.TB, f *File) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "built.db")
	if err := tryRebuild(f, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func tryRebuild(f *File, path string) error {
	ctx := context.Background()
	schema, err := f.Schema()
	if err != nil {
		return err
	}
	b, err := Create(path, schema)
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

func digestOf(t testing.TB, f *File) wire.DatabaseDigest {
	t.Helper()
	d, err := f.Digest(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantSameDigest names the first table that differs.
func wantSameDigest(t testing.TB, got, want wire.DatabaseDigest) {
	t.Helper()
	if got.Schema != want.Schema {
		t.Error("the schema differs")
	}
	for i := range want.Tables {
		if i >= len(got.Tables) || got.Tables[i] != want.Tables[i] {
			t.Errorf("table %+v differs", want.Tables[i])
		}
	}
	if got.Database != want.Database {
		t.Error("the database digest differs")
	}
}

// findingIn returns the finding that an error carries.
func findingIn(t testing.TB, err error) *Finding {
	t.Helper()
	var f *Finding
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
