package sqlitefile_test

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func TestHardDatabasesPassPreflight(t *testing.T) {
	for name, path := range sqlitefile.MakeHardDatabases(t) {
		if report, err := preflight.Check(t.Context(), path, wire.DefaultLimits); err != nil || report.Err() != nil {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
	}
}
