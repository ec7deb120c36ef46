package split_test

import (
	"context"
	"encoding/binary"
	"os"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestEachFileCountsFurther: no file that a split or a merge makes can be byte for byte one that the user had before.
func TestEachFileCountsFurther(t *testing.T) {
	source := database(t, "CREATE TABLE t(id TEXT PRIMARY KEY, old INTEGER)", "INSERT INTO t VALUES ('a', 0), ('b', 1)")
	for range 5 {
		change(t, source, "UPDATE t SET old = 1 - old")
	}
	hot, cold := parts(t, source, policy(t, "[tables.t]\nwhere = \"old = 1\""))
	whole, err := union(t, hot, cold)
	if err != nil {
		t.Fatal(err)
	}
	last := uint32(0)
	for _, path := range []string{source, hot, whole} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		counter, valid := binary.BigEndian.Uint32(content[24:]), binary.BigEndian.Uint32(content[92:])
		if counter <= last || counter != valid {
			t.Errorf("%s counts %d (header valid for %d) after %d", path, counter, valid, last)
		}
		last = counter
	}
}

// TestExcept: rows that are thawed are the policy's exception, whatever the expression gives for the others.
func TestExcept(t *testing.T) {
	p := policy(t, "[tables.t]\nwhere = \"old = 1\"\n[tables.c]\n")
	source := database(t, "CREATE TABLE t(id TEXT PRIMARY KEY, old INTEGER, tag TEXT)",
		"CREATE TABLE c(id TEXT PRIMARY KEY, t TEXT REFERENCES t(id))", "INSERT INTO t VALUES ('a', 1, 'x'), ('b', 1, NULL), ('c', 0, 'x')")
	thawed, err := p.Except("t", "tag = 'x' OR id = 'none'")
	if err != nil {
		t.Fatal(err)
	}
	hot, cold := parts(t, source, thawed)
	wantRows(t, hot, "SELECT id FROM t ORDER BY id", "a c")
	wantRows(t, cold, "SELECT id FROM t ORDER BY id", "b")
	for table, where := range map[string]string{"c": "1", "nothing": "1", "t": "id = 1; DROP TABLE t"} {
		_, err := p.Except(table, where)
		wantError(t, err, userdb.Usage, table)
	}
}

// TestKeep: single rows are the policy's exception, by key; with them their children.
func TestKeep(t *testing.T) {
	p := policy(t, "[tables.t]\nwhere = 'old'\n[tables.k]\nwhere = '1'\n[tables.c]\n")
	source := database(t, "CREATE TABLE t(id TEXT PRIMARY KEY, old INTEGER)", "CREATE TABLE c(id TEXT PRIMARY KEY, t TEXT REFERENCES t)",
		"CREATE TABLE k(a, b TEXT COLLATE NOCASE, PRIMARY KEY(b DESC, a)) WITHOUT ROWID",
		"INSERT INTO t(rowid, id, old) VALUES (-5, 'a', 1), (6, 'b', 1), (7, 'c', 0)", "INSERT INTO c(rowid, id, t) VALUES (1, 'a1', 'a'), (2, 'b1', 'b')",
		"INSERT INTO k VALUES (1, 'x'), (2.5, 'x'), (x'00ff', 'y')")
	kept := p.Keep([]wire.Thaw{
		{Table: "t", Keys: []wire.Key{{wire.IntValue(-5)}, {wire.IntValue(7)}, {wire.IntValue(99)}, {wire.IntValue(6), wire.IntValue(6)}, {}}},
		{Table: "c", Keys: []wire.Key{{wire.IntValue(1)}, {wire.IntValue(2)}}}, // the second one's parent is cold
		{Table: "gone", Keys: []wire.Key{{wire.IntValue(1)}}},
	}).Keep([]wire.Thaw{{Table: "k", Keys: []wire.Key{{wire.TextValue("X"), wire.RealValue(2.5)}, {wire.TextValue("y"), wire.BlobValue([]byte{0, 255})}}}})
	plan, err := split.NewPlan(context.Background(), source, kept, at)
	if err != nil || plan.KeptCold != 1 {
		t.Fatalf("%d rows were asked for and stay cold, want 1; %v", plan.KeptCold, err)
	}
	hot, cold := parts(t, source, kept)
	wantRows(t, hot, "SELECT id FROM t UNION ALL SELECT id FROM c ORDER BY 1", "a a1 c")
	wantRows(t, cold, "SELECT id FROM t UNION ALL SELECT id FROM c ORDER BY 1", "b b1")
	wantRows(t, hot, "SELECT typeof(a) FROM k ORDER BY 1", "blob real")
	wantRows(t, cold, "SELECT a FROM k", "1")

	// The policy itself has no exceptions now.
	hot, _ = parts(t, source, p)
	wantRows(t, hot, "SELECT id FROM t", "c")
}
