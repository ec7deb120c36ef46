package sqlitefile

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestCensusFindsWrongCounts(t *testing.T) {
	f := openFile(t, makeFile(t, "CREATE TABLE t(n INTEGER PRIMARY KEY, v)", "INSERT INTO t(v) VALUES(1), (2), (3)"))
	table := &f.Tables()[0]
	if err := f.DemandCensus(t.Context(), table, 3); err != nil {
		t.Error(err)
	}
	wantKind(t, f.DemandCensus(t.Context(), table, 2), userdb.Mismatch)
}

// A user's table is found before a table-valued function of the same name.
func TestTablesNamedLikeFunctions(t *testing.T) {
	names := []string{"pragma_table_list", "pragma_table_xinfo", "pragma_index_list", "pragma_index_xinfo", "jsonb_each", "json_each", "json_tree"}
	var statements []string
	for _, name := range names {
		statements = append(statements, "CREATE TABLE "+name+"(k TEXT, n INT, v, PRIMARY KEY(k, n)) WITHOUT ROWID", "INSERT INTO "+name+" VALUES('b', 2, 1), ('a', 10, 2.0), ('a', 9, 'x')")
	}
	f := openFile(t, makeFile(t, statements...))
	if got := len(f.Tables()); got != len(names) {
		t.Fatalf("%d tables, want %d", got, len(names))
	}
	again := openFile(t, rebuild(t, f))
	wantSameDigest(t, digestOf(t, again), digestOf(t, f))
}
