package split_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A family of tables: games have clips, clips have tags, and sets belong to a game and to a season.
var family = []string{
	"CREATE TABLE games(id INTEGER PRIMARY KEY AUTOINCREMENT, played INTEGER)",
	"CREATE TABLE seasons(name TEXT PRIMARY KEY, done INTEGER) WITHOUT ROWID",
	"CREATE TABLE clips(id TEXT PRIMARY KEY, game REFERENCES games, old INTEGER)",
	"CREATE TABLE tags(id TEXT PRIMARY KEY, clip TEXT REFERENCES clips(id))",
	"CREATE TABLE sets(id TEXT PRIMARY KEY, game INTEGER REFERENCES games(id), season TEXT REFERENCES seasons)",
	"CREATE TABLE notes(id TEXT PRIMARY KEY, game INTEGER)",
	"INSERT INTO games VALUES(1, 10), (2, 20), (3, 30)",
	"INSERT INTO seasons VALUES('spring', 1), ('summer', 0)",
	"INSERT INTO clips VALUES('a', 1, 0), ('b', 1, 1), ('c', 2, 1), ('d', NULL, 1), ('e', NULL, 0), ('f', 99, 1)",
	"INSERT INTO tags VALUES('t1', 'a'), ('t2', 'c'), ('t3', 'd'), ('t4', NULL)",
}

func TestDecision(t *testing.T) {
	for _, test := range []struct {
		name   string
		more   []string // statements behind the family's
		policy string
		want   string // table: keys of the cold rows
	}{
		{"children go with their parents and stay with them, orphans decide alone", nil,
			"[tables.games]\nwhere = 'played < 15'\n[tables.clips]\nwhere = 'old'", "games: 1; clips: a b d f; tags: t1 t3"},
		{"a table that follows nobody", []string{"DELETE FROM clips WHERE id IN ('a', 'c')", "DELETE FROM tags"},
			"[tables.games]\nwhere = 'played < 15'\n[tables.clips]\nwhere = 'old AND game IS NOT 2'\nfollow = 'own'", "games: 1; clips: b d f"},
		{"both parents cold", []string{"INSERT INTO sets VALUES('s', 1, 'spring'), ('u', NULL, NULL)"},
			"[tables.games]\nwhere = 'played < 15'\n[tables.seasons]\nwhere = 'done'", "games: 1; seasons: spring; clips: a b; tags: t1; sets: s"},
		{"what would be torn apart stays hot, with all that belongs to it", []string{"INSERT INTO sets VALUES('s', 1, 'summer'), ('v', 2, 'spring')"},
			"crossing = 'stay-hot'\n[tables.games]\nwhere = 'played < 25'\n[tables.seasons]\nwhere = 'done'", "games: 2; seasons: spring; clips: c; tags: t2; sets: v"},
		{"a reference that the schema does not declare", []string{"INSERT INTO notes VALUES('n', 1), ('m', 2)"},
			"[tables.games]\nwhere = 'played < 15'\n[tables.notes]\nreferences = [{ columns = ['game'], table = 'games' }]", "games: 1; clips: a b; tags: t1; notes: n"},
		{"names in any case", nil, "[tables.GAMES]\nwhere = 'PLAYED < 15'", "games: 1; clips: a b; tags: t1"},
		{"the moment", []string{"INSERT INTO games VALUES(7, 1795676399), (8, 1795676400)"}, "[tables.games]\nwhere = \"played < :now AND played > 1000 AND :today = '2026-11-26' -- a day\"", "games: 7"},
		{"triggers that are accepted", []string{"CREATE TRIGGER count AFTER DELETE ON clips BEGIN UPDATE notes SET game = game + 1; END"},
			"[tables.games]\nwhere = 'played < 15'\n[tables.clips]\ntriggers = 'accept'", "games: 1; clips: a b; tags: t1"},
		{"a trigger on a table without cold rows", []string{"CREATE TRIGGER count AFTER DELETE ON notes BEGIN UPDATE games SET played = played + 1; END"},
			"[tables.games]\nwhere = 'played < 15'", "games: 1; clips: a b; tags: t1"},
		{"a subquery", nil, "[tables.games]\nwhere = 'id NOT IN (SELECT game FROM clips WHERE game IS NOT NULL)'", "games: 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := database(t, append(family, test.more...)...)
			_, cold := parts(t, path, policy(t, test.policy))
			var got []string
			for _, table := range []string{"games", "seasons", "clips", "tags", "sets", "notes"} {
				key := "id"
				if table == "seasons" {
					key = "name"
				}
				if keys := rows(t, cold, fmt.Sprintf("SELECT %s FROM %s ORDER BY 1", key, table)); keys != "" {
					got = append(got, table+": "+keys)
				}
			}
			if joined := strings.Join(got, "; "); joined != test.want {
				t.Errorf("cold: %s\nwant: %s", joined, test.want)
			}
		})
	}
}

// Rows that refer to each other in circles, and tables that refer to themselves.
func TestCycles(t *testing.T) {
	path := database(
		t,
		"CREATE TABLE tree(id TEXT PRIMARY KEY, up TEXT REFERENCES tree, old INTEGER)",
		"CREATE TABLE man(id TEXT PRIMARY KEY, wife TEXT REFERENCES wife)",
		"CREATE TABLE wife(id TEXT PRIMARY KEY, man TEXT REFERENCES man, old INTEGER)",
		"INSERT INTO tree VALUES('r', NULL, 1), ('r1', 'r', 0), ('r11', 'r1', 0), ('q', NULL, 0), ('q1', 'q', 1), ('x', 'y', 1), ('y', 'x', 0), ('self', 'self', 1)",
		"INSERT INTO man VALUES('a', 'b'), ('c', 'd')",
		"INSERT INTO wife VALUES('b', 'a', 1), ('d', 'c', 0)",
	)
	_, cold := parts(t, path, policy(t, "[tables.tree]\nwhere = 'old'\n[tables.wife]\nwhere = 'old'"))
	wantRows(t, cold, "SELECT id FROM tree ORDER BY id", "r r1 r11 self x y")
	wantRows(t, cold, "SELECT id FROM man UNION ALL SELECT id FROM wife", "a b")
}

func TestLongChain(t *testing.T) {
	path := database(
		t,
		"CREATE TABLE chain(id INTEGER PRIMARY KEY AUTOINCREMENT, up INTEGER REFERENCES chain)",
		"CREATE INDEX up ON chain(up)",
		"WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 400) INSERT INTO chain SELECT i, nullif(i - 1, 0) FROM n",
	)
	plan, err := split.NewPlan(context.Background(), path, policy(t, "[tables.chain]\nwhere = 'id = 1'"), at)
	if err != nil || plan.ColdRows() != 400 {
		t.Fatalf("%+v, %v", plan, err)
	}
	plan, err = split.NewPlan(
		context.Background(),
		path,
		policy(t, "crossing = 'stay-hot'\n[tables.chain]\nwhere = 'id > 1'\nfollow = 'own'"),
		at,
	)
	if err != nil || !plan.Empty() {
		t.Fatalf("%+v, %v", plan, err)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		more   []string
		policy string
		want   []string
	}{
		{"a hot row refers to a cold one", []string{"INSERT INTO sets VALUES('s', 1, 'summer')"}, "[tables.games]\nwhere = 'id = 1'",
			[]string{"split table sets: hot rows refer to cold rows of games (game): 's' to 1", `crossing = "stay-hot"`}},
		{"a cold row refers to a hot one", nil, "[tables.clips]\nwhere = '1'\nfollow = 'own'",
			[]string{"split table clips: cold rows refer to hot rows of games (game): 'a' to 1; 'b' to 1; 'c' to 2"}},
		{"many of them", []string{"INSERT INTO clips SELECT 'x' || value, 3, 1 FROM json_each('[1,2,3,4,5,6,7]')"}, "[tables.clips]\nwhere = 'game = 3'\nfollow = 'own'",
			[]string{"'x5' to 3; and 2 more"}},
		{"no such table", nil, "[tables.gmes]\nwhere = '1'", []string{"split table gmes: the policy names it, and this database does not have it"}},
		{"no such column", nil, "[tables.games]\nwhere = 'plaid < 1'", []string{"split table games: the policy's where: no such column: plaid"}},
		{"a text in the wrong quotes", nil, `[tables.games]` + "\n" + `where = 'played = "done"'`, []string{"no such column"}},
		{"no such column of a reference", nil, "[tables.games]\nwhere = '1'\n[tables.notes]\nreferences = [{ columns = ['gme'], table = 'games' }]",
			[]string{"split table notes: the policy's reference to games: there is no column gme"}},
		{"a function that is not steady", nil, "[tables.games]\nwhere = 'played < sqlite_source_id()'", []string{"not authorized to use function: sqlite_source_id"}},
		{"an aggregate", nil, "[tables.games]\nwhere = 'max(played)'", []string{"misuse of aggregate"}},
		{"an error in a row", []string{"UPDATE clips SET id = 'no json' WHERE id = 'f'"}, "[tables.clips]\nwhere = \"json_extract(id, '$') = 1\"", []string{"split table clips: the policy's where: malformed JSON"}},
		{"numbers that SQLite gives again", []string{"CREATE TABLE plain(id INTEGER PRIMARY KEY, old)", "INSERT INTO plain VALUES(1, 1), (2, 0)"}, "[tables.plain]\nwhere = 'old'",
			[]string{"split table plain: 1 rows are cold, and SQLite would give new rows their numbers again", `ids = "application"`}},
		{"a trigger", []string{"CREATE TRIGGER log AFTER DELETE ON clips BEGIN INSERT INTO notes VALUES(old.id, 0); END"}, "[tables.games]\nwhere = 'id = 1'",
			[]string{"split table clips: 2 rows are cold, and it has the trigger log, which would see the rows of one side only", `triggers = "accept"`}},
		{"a trigger on a view", []string{"CREATE VIEW pairs AS SELECT c.id FROM clips AS c JOIN games AS g ON g.id = c.game", "CREATE TRIGGER away INSTEAD OF DELETE ON pairs BEGIN DELETE FROM clips WHERE id = old.id; END"},
			"[tables.games]\nwhere = 'id = 3'", []string{"split table games: 1 rows are cold, and it has the trigger away"}},
		{"a trigger that keeps a full-text table", []string{"CREATE VIRTUAL TABLE search USING fts5(id)", "CREATE TRIGGER keep AFTER INSERT ON clips BEGIN INSERT INTO search(rowid, id) VALUES(new.rowid, new.id); END"},
			"[tables.games]\nwhere = 'id = 1'\n[tables.clips]\ntriggers = 'accept'", []string{"split table clips: 2 rows are cold, and its trigger keep leads to the virtual table search, which has rows that stay hot (keep the table hot, or let the application write the index: docs/split.md)"}},
		{"triggers that keep one between them", []string{"CREATE VIRTUAL TABLE search USING fts5(id)", "CREATE TRIGGER first AFTER INSERT ON clips BEGIN INSERT INTO notes VALUES(new.id, 1); END",
			"CREATE TRIGGER second AFTER INSERT ON Notes BEGIN INSERT INTO \"SEARCH\"(id) VALUES(new.id); END"},
			"[tables.games]\nwhere = 'id = 1'\n[tables.clips]\ntriggers = 'accept'", []string{"its trigger first leads to the virtual table search"}},
		{"a virtual table", []string{"CREATE VIRTUAL TABLE search USING fts5(body)"}, "[tables.search]\nwhere = '1'", []string{"split table search: the policy names it, and it is a virtual table"}},
		{"content of a full-text table", []string{"CREATE VIRTUAL TABLE search USING fts5(id, content='clips')"}, "[tables.games]\nwhere = 'id = 1'",
			[]string{"split table clips: 2 rows are cold, and the table is the content of the full-text table search"}},
		{"content through a view", []string{"CREATE VIEW both AS SELECT c.rowid, c.id FROM clips AS c JOIN games AS g ON g.id = c.game", "CREATE VIRTUAL TABLE search USING fts5(id, content=both)"}, "[tables.games]\nwhere = 'id = 3'",
			[]string{"split table games: 1 rows are cold, and the table is the content of the full-text table search"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := database(t, append(family, test.more...)...)
			_, err := split.NewPlan(context.Background(), path, policy(t, test.policy), at)
			wantError(t, err, userdb.Blocked, test.want...)
		})
	}
}
