package misread

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// tracedSchema makes our code use every kind of statement that it has.
const tracedSchema = `
CREATE TABLE items(n INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, price REAL, raw BLOB);
INSERT INTO items(name, price, raw) VALUES('a', 1.5, x'00'), ('b', NULL, NULL), (x'01', 2, 'c');
CREATE TABLE keyed(k TEXT COLLATE NOCASE, l INT, v, PRIMARY KEY(k, l DESC)) WITHOUT ROWID;
INSERT INTO keyed VALUES('a', 1, 1.5), ('B', 2, x'');
CREATE TABLE plain(a, b AS (a || 'x') STORED);
INSERT INTO plain(a) VALUES(1), (2.5);
CREATE INDEX by_name ON items(name);
CREATE VIEW names AS SELECT name FROM items;
CREATE TRIGGER after_items AFTER INSERT ON items BEGIN SELECT 1; END;
CREATE VIRTUAL TABLE words USING fts5(a, b);
INSERT INTO words VALUES('some', 'text');
`

// tracedWords are the identifiers of all SQL that both sides run while users go there and back, whole and split.
func tracedWords(t *testing.T) []string {
	t.Helper()
	var mu sync.Mutex
	statements := map[string]bool{}
	capi.Trace = func(sql string) {
		mu.Lock()
		defer mu.Unlock()
		statements[sql] = true
	}
	path := makeDatabase(t, tracedSchema, "")
	u := newUser(t, "traced")
	u.upload(path)
	u.must(u.run(migrate.ActionMigrate, u.engine.Migrate), migrate.OutcomeMigrated)
	u.write("INSERT INTO items(name) VALUES('written')")
	u.must(u.run(migrate.ActionVerify, u.engine.Verify), migrate.OutcomeWritten)
	u.must(u.run(migrate.ActionRehearse, u.engine.Rehearse), migrate.OutcomeRehearsed)
	u.must(u.run(migrate.ActionRollback, u.rollback), migrate.OutcomeExported)
	divide(t, path)
	capi.Trace = nil
	inObjects, err := harness.Traced(cloud)
	if err != nil {
		t.Fatal(err)
	}
	if len(inObjects) < 20 {
		t.Fatalf("only %d statements of the Durable Object were traced", len(inObjects))
	}
	return harness.Identifiers(slices.AppendSeq(inObjects, maps.Keys(statements)))
}

// divide plans a split of the file.
func divide(t *testing.T, path string) {
	t.Helper()
	policy, err := split.LoadPolicy(written(t, "policy.toml", "[tables.items]\nwhere = \"n < 2\"\ntriggers = \"accept\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := split.NewPlan(t.Context(), path, policy, time.Now()); err != nil {
		t.Fatal(err)
	}
}

var letterCases = map[string]func(string) string{
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"mixed": func(word string) string { return strings.ToUpper(word[:1]) + word[1:] },
}

// uses of a word as a name: what makes them, and what is written in the Durable Object. {} is the quoted word, # its number.
var uses = map[string][2]string{
	"table": {`CREATE TABLE {}(a INTEGER PRIMARY KEY, b); INSERT INTO {} VALUES(1, 0.5), (7, 'x'); CREATE TRIGGER {} AFTER DELETE ON {} BEGIN SELECT 1; END;`,
		`INSERT INTO {} VALUES(9, 2)`},
	"rowid": {`CREATE TABLE "r #"({} INTEGER PRIMARY KEY, "a #" REAL, "b #"); INSERT INTO "r #" VALUES(3, 1.25, 'x'), (9, NULL, NULL), (-4, 2, x'00');`,
		`INSERT INTO "r #" VALUES(100, NULL, 'written')`},
	"key": {`CREATE TABLE "k #"({} TEXT, "l #" INT, "v #", PRIMARY KEY({}, "l #")) WITHOUT ROWID; INSERT INTO "k #" VALUES('b', 2, 1), ('a', 10, 2.0), ('a', 9, 'x');`,
		`INSERT INTO "k #" VALUES('a', 11, NULL)`},
	"column": {`CREATE TABLE "c #"({}, "d #" REAL); INSERT INTO "c #" VALUES('x', 1.5), (2, NULL);`, `UPDATE "c #" SET {} = 9.5 WHERE {} = 2`},
	"index":  {`CREATE TABLE "i #"(a, b); CREATE INDEX {} ON "i #"(b); INSERT INTO "i #" VALUES(2, 1), (1, 2.5);`, `DELETE FROM "i #" WHERE a = 2`},
	"view":   {`CREATE TABLE "w #"(a, b); CREATE VIEW {} AS SELECT a FROM "w #"; INSERT INTO "w #" VALUES(2, 1), (1, 2.5);`, `UPDATE "w #" SET b = 3 WHERE a = 1`},
}

// TestOurOwnNamesAreUsersNames uses every identifier of the SQL that our code runs as a user's name. What is written in the Durable
// Object comes back, cell by cell; or the user is refused before anything changes.
func TestOurOwnNamesAreUsersNames(t *testing.T) {
	words := tracedWords(t)
	t.Logf("%d identifiers: %s", len(words), strings.Join(words, " "))
	for _, word := range []string{"value", "jsonb_each", "pragma_table_xinfo", "r", "n", "k", "p", "rowid", "_dbmigrate_row"} {
		if !slices.Contains(words, word) {
			t.Errorf("%s is no identifier of the traced SQL: is the trace broken?", word)
		}
	}
	type named struct{ use, letters string }
	var all []named
	for _, letters := range slices.Sorted(maps.Keys(letterCases)) {
		for _, use := range slices.Sorted(maps.Keys(uses)) {
			all = append(all, named{use, letters})
		}
	}
	for _, c := range effort.Some(t, "uses of our names", all, 3) {
		t.Run(c.use+" "+c.letters, func(t *testing.T) { goThereAndBack(t, c.use, c.letters, words, letterCases[c.letters]) })
	}
}

func goThereAndBack(t *testing.T, use, name string, words []string, letters func(string) string) {
	create, write := statementsOf(use, words, letters)
	path := makeDatabase(t, strings.Join(create, "\n"), "")
	u := newUser(t, "names-"+use+"-"+name)
	u.upload(path)
	if r := u.run(migrate.ActionMigrate, u.engine.Migrate); userdb.KindOf(r.Err()) == userdb.Blocked {
		t.Fatalf("a word is refused: %v", r.Err()) // untouched, but none of these has to be
	} else {
		u.must(r, migrate.OutcomeMigrated)
	}
	for part := range slices.Chunk(write, 40) {
		u.write(part...)
	}
	u.must(u.run(migrate.ActionVerify, u.engine.Verify), migrate.OutcomeWritten)
	u.must(u.run(migrate.ActionRehearse, u.engine.Rehearse), migrate.OutcomeRehearsed)
	u.must(u.run(migrate.ActionRollback, u.rollback), migrate.OutcomeExported)
	want := makeDatabase(t, strings.Join(create, "\n"), strings.Join(write, ";\n"))
	if out, err := exec.Command("python3", "../../scripts/dbdigest.py", want, u.fetch()).CombinedOutput(); err != nil {
		t.Errorf("%v: %.2000s", err, out)
	}
}

func statementsOf(use string, words []string, letters func(string) string) (create, write []string) {
	for i, word := range words {
		fill := strings.NewReplacer("{}", `"`+letters(word)+`"`, "#", fmt.Sprint(i))
		create, write = append(create, fill.Replace(uses[use][0])), append(write, fill.Replace(uses[use][1]))
	}
	return create, write
}

func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	writeFile(t, path, []byte(content))
	return path
}
