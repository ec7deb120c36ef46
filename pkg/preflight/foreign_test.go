package preflight

import (
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/dbfile"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
)

// Files that another build of SQLite reads, or that an edit of the schema made: neither is damaged.
func TestPreflightOfWhatOnlyOthersRead(t *testing.T) {
	path := makeFile(t, "CREATE TABLE notes(a)", "INSERT INTO notes VALUES('kept')", "CREATE TABLE wide(a)")
	dbfile.Edit(t, path, "UPDATE sqlite_schema SET name = 'sqlite_notes', tbl_name = 'sqlite_notes', sql = 'CREATE TABLE sqlite_notes(a)' WHERE name = 'notes'")
	found := preflight(t, path).Findings
	if len(found) != 1 || found[0].Reason != sqlitefile.ReasonReservedName || strings.Contains(found[0].WayOut, "DROP") {
		t.Errorf("rows under a name of SQLite's: %+v", found)
	}

	dbfile.Edit(t, path, "UPDATE sqlite_schema SET sql = 'CREATE TABLE wide("+columns(2001)+")' WHERE name = 'wide'")
	found = preflight(t, path).Findings
	if len(found) != 1 || found[0].Reason != sqlitefile.ReasonTooManyColumns || found[0].Object != "wide" {
		t.Errorf("more columns than this build reads: %+v", found)
	}
}
