package preflight

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func benchFile(b *testing.B) (*sqlitefile.File, int64) {
	path := filepath.Join(b.TempDir(), "app.db")
	stats, err := appdb.Build(b.Context(), path, 1, 12<<20)
	if err != nil {
		b.Fatal(err)
	}
	return openFile(b, path), stats.Bytes
}

func BenchmarkCheckSchema(b *testing.B) {
	f, _ := benchFile(b)
	for b.Loop() {
		if _, err := checkSchema(context.Background(), f, wire.DefaultLimits); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckFile(b *testing.B) {
	f, size := benchFile(b)
	b.SetBytes(size)
	for b.Loop() {
		if _, err := CheckFile(context.Background(), f, wire.DefaultLimits); err != nil {
			b.Fatal(err)
		}
	}
}
