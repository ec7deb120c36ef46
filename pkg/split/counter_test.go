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

// TestEachFileCountsFurther: no file that a split or a merge makes can be byte for byte one that the user had
// before.
func TestEachFileCountsFurther(t *testing.T) {
	source := database(
		t,
		"CREATE TABLE t(id TEXT PRIMARY KEY, old INTEGER)",
		"INSERT INTO t VALUES ('a', 0), ('b', 1)",
	)
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
	source := database(
		t,
		"CREATE TABLE t(id TEXT PRIMARY KEY, old INTEGER, tag TEXT)",
		"CREATE TABLE c(id TEXT PRIMARY KEY, t TEXT REFERENCES t(id))",
		"INSERT INTO t VALUES ('a', 1, 'x'), ('b', 1, NULL), ('c', 0, 'x')",
	)
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

// TestKeep: single rows are the policy's exception, by primary key; with them everything that hangs together
// with them.
func TestKeep(t *testing.T) {
	p := policy(
		t,
		"[tables.t]\nwhere = 'old'\n[tables.k]\nwhere = '1'\n[tables.c]\n[tables.n]\nwhere = 'up IS NULL'\nids = 'application'",
	)
	source := database(
		t,
		"CREATE TABLE t(id TEXT PRIMARY KEY, old INTEGER)",
		"CREATE TABLE c(id TEXT PRIMARY KEY, t TEXT REFERENCES t)",
		"CREATE TABLE k(a, b TEXT COLLATE NOCASE, PRIMARY KEY(b COLLATE BINARY DESC, a)) WITHOUT ROWID",
		"CREATE TABLE n(id INTEGER PRIMARY KEY, up INTEGER REFERENCES n)",
		"INSERT INTO t(rowid, id, old) VALUES (-5, 'a', 1), (6, 'b', 1), (7, 'c', 0), (8, 'd', 1)",
		"INSERT INTO c VALUES ('a1', 'a'), ('a2', 'a'), ('b1', 'b'), ('d1', 'd')",
		"INSERT INTO k VALUES (1, 'x'), (1, 'X'), (2.5, 'x'), (x'00ff', 'y')",
		"INSERT INTO n VALUES (1, NULL), (2, 1), (3, 2), (4, NULL), (5, 4)",
	)
	text, number := wire.TextValue, wire.IntValue
	id := []string{"ID"}
	kept := p.Keep([]wire.Thaw{
		{
			Table:   "T",
			Columns: id,
			Keys: []wire.Key{
				{text("a")},
				{text("a")},
				{text("c")},
				{text("gone")},
				{text("b"), text("b")},
				{},
			},
		},
		{Table: "c", Columns: id, Keys: []wire.Key{{text("d1")}}}, // and so its parent
		{Table: "n", Columns: id, Keys: []wire.Key{{number(2)}}},  // from the middle of a chain
		{
			Table:   "gone",
			Columns: id,
			Keys:    []wire.Key{{number(1)}},
		}, {Table: "t", Columns: []string{"renamed"}, Keys: []wire.Key{{text("b")}}},
	}).Keep([]wire.Thaw{{Table: "k", Columns: []string{"b", "a"}, Keys: []wire.Key{{text("X"), number(1)}, {text("x"), wire.RealValue(2.5)}, {text("y"), wire.BlobValue([]byte{0, 255})}}}})
	plan, err := split.NewPlan(context.Background(), source, kept, at)
	if err != nil || plan.Asked != 7 {
		t.Fatalf("%d of the rows are there, want 7; %v", plan.Asked, err)
	}
	hot, cold := parts(t, source, kept)
	wantRows(t, hot, "SELECT id FROM t UNION ALL SELECT id FROM c ORDER BY 1", "a a1 a2 c d d1")
	wantRows(t, cold, "SELECT id FROM t UNION ALL SELECT id FROM c ORDER BY 1", "b b1")
	wantRows(t, hot, "SELECT b || typeof(a) FROM k ORDER BY b COLLATE BINARY, 1", "Xinteger xreal yblob")
	wantRows(t, cold, "SELECT b || a FROM k", "x1")
	wantRows(t, hot, "SELECT id FROM n ORDER BY 1", "1 2 3")
	wantRows(t, cold, "SELECT id FROM n ORDER BY 1", "4 5")

	// The policy itself has no exceptions now.
	hot, _ = parts(t, source, p)
	wantRows(t, hot, "SELECT id FROM t", "c")
}

// TestKeepTearsNothing: a row that is asked for may have parents of two kinds, and stands under crossing =
// "refuse".
func TestKeepTearsNothing(t *testing.T) {
	source := database(
		t,
		"CREATE TABLE g(id TEXT PRIMARY KEY)",
		"CREATE TABLE p(id TEXT PRIMARY KEY)",
		"CREATE TABLE c(id TEXT PRIMARY KEY, g TEXT REFERENCES g, p TEXT REFERENCES p)",
		"CREATE TABLE own(id TEXT PRIMARY KEY, c TEXT REFERENCES c)",
		"INSERT INTO g VALUES ('g1'), ('g2')",
		"INSERT INTO p VALUES ('p1'), ('p2')",
		"INSERT INTO c VALUES ('c1', 'g1', 'p1'), ('c2', 'g2', 'p2')",
		"INSERT INTO own VALUES ('o1', 'c1'), ('o2', 'c2')",
	)
	kept := policy(
		t,
		"[tables.g]\nwhere = '1'\n[tables.p]\nwhere = '1'\n[tables.c]\n[tables.own]\nwhere = '1'\nfollow = 'own'",
	).
		Keep([]wire.Thaw{{Table: "p", Columns: []string{"id"}, Keys: []wire.Key{{wire.TextValue("p1")}}}})
	hot, cold := parts(t, source, kept)
	const all = "SELECT id FROM g UNION ALL SELECT id FROM p UNION ALL SELECT id FROM c UNION ALL SELECT id FROM own ORDER BY 1"
	wantRows(t, hot, all, "c1 g1 o1 p1")
	wantRows(t, cold, all, "c2 g2 o2 p2")
}

// TestKeepInUTF16: the keys come in UTF-8.
func TestKeepInUTF16(t *testing.T) {
	source := database(
		t,
		"PRAGMA encoding = 'UTF-16le'",
		"CREATE TABLE t(id TEXT PRIMARY KEY)",
		"INSERT INTO t VALUES ('größe'), ('maß')",
	)
	kept := policy(
		t,
		"[tables.t]\nwhere = '1'",
	).Keep([]wire.Thaw{{Table: "t", Columns: []string{"id"}, Keys: []wire.Key{{wire.TextValue("größe")}}}})
	hot, _ := parts(t, source, kept)
	wantRows(t, hot, "SELECT id FROM t", "größe")
}
