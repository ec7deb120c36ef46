package split_test

import (
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// divided splits the family and lets both sides go on.
func divided(t *testing.T, more ...string) (hot, cold string) {
	t.Helper()
	return parts(
		t,
		database(t, append(family, more...)...),
		policy(t, "[tables.games]\nwhere = 'played < 15'"),
	)
}

func TestUnionTakesBothSides(t *testing.T) {
	hot, cold := divided(t)
	change(
		t,
		hot,
		"INSERT INTO games(played) VALUES(40)",
		"DELETE FROM games WHERE id = 3",
		"UPDATE games SET played = 21 WHERE id = 2",
		"PRAGMA user_version = 5",
	)
	change(
		t,
		cold,
		"UPDATE clips SET old = 7 WHERE id = 'a'",
		"INSERT INTO games VALUES(100, 1)",
		"DELETE FROM tags",
	)
	whole, err := union(t, hot, cold)
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, whole, "SELECT id || ':' || played FROM games ORDER BY id", "1:10 2:21 4:40 100:1")
	wantRows(t, whole, "SELECT id FROM clips WHERE old = 7", "a")
	wantRows(t, whole, "SELECT id FROM tags ORDER BY id", "t2 t3 t4")
	wantRows(t, whole, "SELECT seq FROM sqlite_sequence", "100")
	wantRows(t, whole, "PRAGMA user_version", "5")
}

func TestUnionConflicts(t *testing.T) {
	unique := []string{
		"CREATE TABLE u(id TEXT PRIMARY KEY, game INTEGER REFERENCES games, mail TEXT COLLATE NOCASE, UNIQUE(mail))",
		"CREATE UNIQUE INDEX big ON u(upper(id)) WHERE id > 'm'",
		"INSERT INTO u VALUES('a', 1, 'a@x'), ('n', 1, NULL), ('z', 3, NULL)",
		"CREATE TABLE p(id TEXT PRIMARY KEY, game INTEGER REFERENCES games, tag TEXT, live INTEGER)",
		"CREATE UNIQUE INDEX tags_live ON p(tag) WHERE live -- those that count",
		"INSERT INTO p VALUES('x', 1, 'a', 1), ('x2', 1, 'b', 0), ('y2', 3, 'b', 0)",
	}
	for _, test := range []struct {
		name      string
		hot, cold []string
		want      []string
	}{
		{"a number", []string{"INSERT INTO games VALUES(1, 99)"}, nil, []string{"merge table games: a row stands on both sides under the same id: 1"}},
		{"a key without rowid", nil, []string{"INSERT INTO seasons VALUES('summer', 5)"}, []string{"merge table seasons", "the same name: 'summer'"}},
		{"a text key", []string{"INSERT INTO clips VALUES('a', 3, 0), ('b', 3, 0)"}, nil, []string{"merge table clips", "the same id: 'a'; 'b'"}},
		{"a long key", []string{"INSERT INTO clips VALUES(printf('%.200c', 'x'), 3, 0)"}, []string{"INSERT INTO clips VALUES(printf('%.200c', 'x'), 1, 0)"}, []string{"xxxx...", "delete or change the row on one side"}},
		{"a unique column in another case", []string{"UPDATE u SET mail = 'A@X'"}, nil, []string{"merge table u", "the same mail: 'a@x'"}},
		{"a partial index over an expression", []string{"INSERT INTO u VALUES('N', 3, NULL), ('N2', 3, NULL)", "UPDATE u SET id = 'nN' WHERE id = 'N'"}, []string{"UPDATE u SET id = 'Nn' WHERE id = 'a'", "UPDATE u SET id = 'NN' WHERE id = 'n'", "UPDATE u SET id = 'nn' WHERE id = 'NN'"}, []string{"merge table u", "big"}},
		{"another schema", []string{"ALTER TABLE games ADD COLUMN extra"}, nil, []string{"table games is not the same on both sides: hot has `, extra`, cold has nothing there", "until both are the same"}},
		{"a partial index", []string{"INSERT INTO p VALUES('y', 3, 'a', 1)"}, nil, []string{"merge table p: a row stands on both sides under the same tag: 'a'"}},
		{
			"everything at once",
			[]string{
				"INSERT INTO games VALUES(1, 99)", "INSERT INTO clips VALUES('a', 3, 0), ('b', 3, 0)", "UPDATE u SET mail = 'A@X'",
				"ALTER TABLE sets ADD note TEXT DEFAULT 'x'", "CREATE TABLE fresh(a)",
			},
			[]string{"INSERT INTO seasons VALUES('summer', 5)", "CREATE INDEX more ON games(played)"},
			[]string{
				"table games: a row stands on both sides under the same id: 1", "table clips: a row stands on both sides under the same id: 'a'; 'b'",
				"table seasons: a row", "the same name: 'summer'", "table u: a row", "the same mail: 'a@x'",
				"table sets is not the same on both sides: hot has `, note TEXT DEFAULT 'x'`, cold has nothing there",
				"the cold rows' schema has no table fresh", "the hot rows' schema has no index more", "until both are the same", "delete or change the row",
			},
		},
		{"another object", nil, []string{"CREATE INDEX more ON games(played)"}, []string{"the hot rows' schema has no index more"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			hot, cold := divided(t, unique...)
			change(t, hot, test.hot...)
			change(t, cold, test.cold...)
			_, err := union(t, hot, cold)
			wantError(t, err, userdb.Conflict, test.want...)
		})
	}
}

// A rowid that nobody sees is no key.
func TestUnionNumbersHiddenRowidsAnew(t *testing.T) {
	path := database(
		t,
		"CREATE TABLE t(v)",
		"INSERT INTO t(rowid, v) VALUES(1, 'hot'), (2, 'cold'), (3, 'cold')",
	)
	hot, cold := parts(t, path, policy(t, "[tables.t]\nwhere = \"v = 'cold'\""))
	change(t, hot, "INSERT INTO t(rowid, v) VALUES(2, 'new')")
	whole, err := union(t, hot, cold)
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, whole, "SELECT rowid || v FROM t ORDER BY rowid", "1hot 2new 3cold 4cold")
}

// A key may be a column named "".
func TestUnionOfKeysWithoutAName(t *testing.T) {
	for _, create := range []string{
		`CREATE TABLE t(v, "" INTEGER PRIMARY KEY)`,
		`CREATE TABLE t(v, "" PRIMARY KEY) WITHOUT ROWID`,
	} {
		path := database(t, create, "INSERT INTO t VALUES('hot', 1), ('cold', 2), ('cold', 3)")
		hot, cold := parts(t, path, policy(t, "[tables.t]\nwhere = \"v = 'cold'\"\nids = \"application\""))
		whole, err := union(t, hot, cold)
		if err != nil {
			t.Fatal(err)
		}
		wantRows(t, whole, `SELECT "" || v FROM t ORDER BY ""`, "1hot 2cold 3cold")
		change(t, hot, "INSERT INTO t VALUES('new', 2)")
		if _, err := union(t, hot, cold); err == nil {
			t.Errorf("%s: a key that is on both sides went unnoticed", create)
		}
	}
}

// Of two rows under one key that of the preferred side stays, by any key that a table has.
func TestUnionPrefersASide(t *testing.T) {
	make := func() (hot, cold string) {
		hot, cold = divided(t, "CREATE TABLE p(id TEXT PRIMARY KEY, game INTEGER REFERENCES games, tag TEXT, live INTEGER)",
			"CREATE UNIQUE INDEX tags_live ON p(tag) WHERE live -- those that count",
			"INSERT INTO p VALUES('x', 1, 'a', 1), ('x2', 1, 'b', 0), ('y2', 3, 'b', 0)")
		change(t, hot, "INSERT INTO games VALUES(1, 99)", "INSERT INTO p VALUES('y', 3, 'a', 1)", "INSERT INTO seasons VALUES('fall', 1)")
		change(t, cold, "INSERT INTO seasons VALUES('fall', 2), ('summer', 7)")
		return hot, cold
	}
	const query = "SELECT (SELECT played FROM games WHERE id = 1) || ' ' || (SELECT group_concat(id, '') FROM (SELECT id FROM p ORDER BY id)) || ' ' || " +
		"(SELECT group_concat(name || done, '') FROM (SELECT * FROM seasons ORDER BY name))"
	for prefer, want := range map[split.Prefer]string{
		split.PreferHot: "99 x2yy2 fall1spring1summer0", split.PreferCold: "10 xx2y2 fall2spring1summer7",
	} {
		hot, cold := make()
		path := filepath.Join(t.TempDir(), "whole.sqlite")
		left, err := split.UnionPreferring(t.Context(), prefer, hot, cold, path)
		if err != nil || left != 4 {
			t.Fatalf("%s left %d out: %v", prefer, left, err)
		}
		wantRows(t, path, query, want)
		wantRows(t, path, "SELECT count(*) FROM pragma_foreign_key_check", "1") // of before: clip f has no game
	}
	// No other row may lose what it refers to, and schemas are nobody's to choose.
	hot, cold := divided(t, "CREATE TABLE mails(id TEXT PRIMARY KEY, mail TEXT UNIQUE, game REFERENCES games)",
		"CREATE TABLE sent(mail TEXT REFERENCES mails(id))", "INSERT INTO mails VALUES('a', 'a@x', 1)", "INSERT INTO sent VALUES('a')")
	change(t, hot, "INSERT INTO mails VALUES('b', 'a@x', NULL)")
	_, err := split.UnionPreferring(t.Context(), split.PreferHot, hot, cold, filepath.Join(t.TempDir(), "whole.sqlite"))
	wantError(t, err, userdb.Conflict, "1 rows would refer to rows that are left behind")
	change(t, hot, "ALTER TABLE sent ADD at")
	_, err = split.UnionPreferring(t.Context(), split.PreferHot, hot, cold, filepath.Join(t.TempDir(), "other.sqlite"))
	wantError(t, err, userdb.Conflict, "table sent is not the same")
}
