package split_test

import (
	"encoding/binary"
	"os"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
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
