package misread

import (
	"context"
	"encoding/json"
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
	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
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

// tracedWords are the identifiers of all SQL that both sides run while users go there and back, whole and
// split.
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
	demandSurvey(t, path)
	u := newUser(t, "traced")
	u.upload(path)
	u.must(u.run(result.ActionMigrate, u.engine.Migrate), result.OutcomeMigrated)
	// A statement of each kind that is wrapped.
	u.write(
		"INSERT INTO items(name) VALUES('written')",
		"SELECT * FROM items",
		"SELECT price FROM items UNION SELECT 1",
		"UPDATE items SET name = 'again' WHERE n = 4 RETURNING *",
		"VALUES(1.0), (2)",
		"SELECT sql FROM sqlite_schema",
	)
	u.must(u.run(result.ActionVerify, u.engine.Verify), result.OutcomeWritten)
	u.must(u.run(result.ActionRehearse, u.engine.Rehearse), result.OutcomeRehearsed)
	u.must(u.run(result.ActionRollback, u.rollback), result.OutcomeExported)
	splitAndJoin(t, path)
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

// splitAndJoin splits a user by a policy, writes to both parts and brings them home.
func splitAndJoin(t *testing.T, path string) {
	t.Helper()
	u := newUser(t, "traced-split")
	u.upload(path)
	u.split(map[string]string{"items": "n < 2", "keyed": "l = 1", "plain": "a = 1"})
	u.write("INSERT INTO items(n, name) VALUES(9, 'hot')")
	u.writeIn("cold", "UPDATE items SET name = 'cold'", "UPDATE plain SET a = 8")
	// A rowid that no column shows is taken on both sides now: the merge has to number the row again.
	u.write("INSERT INTO plain(rowid, a) VALUES(5, 5)")
	u.writeIn("cold", "INSERT INTO plain(rowid, a) VALUES(5, 6)")
	u.must(u.run(result.ActionVerify, u.engine.Verify), result.OutcomeWritten)
	u.must(u.run(result.ActionRollback, u.rollback), result.OutcomeMerged)
}

// split moves the rows for which the expressions are true; the rows of other tables stay.
func (u user) split(cold map[string]string) {
	u.Helper()
	tables := map[string]any{}
	for table, where := range cold {
		tables[table] = map[string]any{"where": where, "triggers": "accept", "ids": "application"}
	}
	policy, err := json.Marshal(map[string]any{"tables": tables})
	if err != nil {
		u.Fatal(err)
	}
	loaded, err := split.LoadPolicy(written(u.T, "policy.json", string(policy)))
	if err != nil {
		u.Fatal(err)
	}
	u.must(u.run(result.ActionMigrate, func(ctx context.Context, id userdb.UserID) result.Result {
		return u.engine.Split(ctx, id, migrate.SplitOptions{Policy: loaded, At: time.Now()})
	}), result.OutcomeSplit)
}

var letterCases = map[string]func(string) string{
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"mixed": func(word string) string { return strings.ToUpper(word[:1]) + word[1:] },
}

// use is one way to use a word as a name. {} is the quoted word, {U} and {M} the same in other letters, # its
// number.
type use struct {
	create, write string
	cold          [2]string // the table with rows that a split moves, and which
	coldWrite     string
}

var uses = map[string]use{
	"table": {
		`CREATE TABLE {}(a INTEGER PRIMARY KEY, b); INSERT INTO {} VALUES(1, 0.5), (7, 'x'); CREATE TRIGGER {} AFTER DELETE ON {} BEGIN SELECT 1; END;`,
		`INSERT INTO {} VALUES(9, 2)`,
		[2]string{"{}", "a < 5"},
		`UPDATE {} SET b = 2.5 WHERE a = 1`,
	},
	"rowid": {
		`CREATE TABLE "r #"({} INTEGER PRIMARY KEY, "a #" REAL, "b #"); INSERT INTO "r #" VALUES(3, 1.25, 'x'), (9, NULL, NULL), (-4, 2, x'00');`,
		`INSERT INTO "r #" VALUES(100, NULL, 'written')`,
		[2]string{`"r #"`, `{} < 5`},
		`UPDATE "r #" SET "a #" = 7 WHERE {} = 3`,
	},
	"key": {
		`CREATE TABLE "k #"({} TEXT, "l #" INT, "v #", PRIMARY KEY({}, "l #")) WITHOUT ROWID; INSERT INTO "k #" VALUES('b', 2, 1), ('a', 10, 2.0), ('a', 9, 'x');`,
		`INSERT INTO "k #" VALUES('a', 11, NULL)`,
		[2]string{`"k #"`, `{} = 'b'`},
		`UPDATE "k #" SET "v #" = x'07' WHERE {} = 'b'`,
	},
	"column": {`CREATE TABLE "c #"({}, "d #" REAL); INSERT INTO "c #" VALUES('x', 1.5), (2, NULL);`,
		`UPDATE "c #" SET {} = 9.5 WHERE {} = 2`, [2]string{`"c #"`, `{} = 'x'`}, `UPDATE "c #" SET "d #" = 6 WHERE {} = 'x'`},
	"index": {
		`CREATE TABLE "i #"(a, b); CREATE INDEX {} ON "i #"(b); INSERT INTO "i #" VALUES(1, 2.5), (2, 1);`,
		`DELETE FROM "i #" WHERE a = 2`,
		[2]string{`"i #"`, `a = 1`},
		`UPDATE "i #" SET b = 4 WHERE a = 1`,
	},
	"view": {
		`CREATE TABLE "w #"(a, b); CREATE VIEW {} AS SELECT a FROM "w #"; INSERT INTO "w #" VALUES(2, 1), (1, 2.5);`,
		`UPDATE "w #" SET b = 3 WHERE a = 1`,
		[2]string{`"w #"`, `a = 2`},
		`UPDATE "w #" SET b = 5 WHERE a = 2`,
	},
	// One name for everything that SQLite lets have it at once, in three letter cases.
	"all": {`CREATE TABLE {}({U} INTEGER PRIMARY KEY, "b #" REAL, CONSTRAINT {M} CHECK ({M} IS NOT 5));
		CREATE TABLE "m #"({M} TEXT COLLATE NOCASE PRIMARY KEY, "c #" REFERENCES {U}({M})) WITHOUT ROWID;
		CREATE TRIGGER {M} AFTER DELETE ON {U} BEGIN DELETE FROM "m #" WHERE {U} = old.{}; END;
		CREATE VIEW "v #" AS WITH {U}({M}) AS (SELECT {} FROM "m #") SELECT {M}.{U} AS {} FROM {U} AS {M};
		CREATE INDEX "x #" ON {M}("b #", {}) WHERE {U} > 0;
		INSERT INTO {} VALUES(1, 0.5), (7, NULL); INSERT INTO "m #" VALUES('a', 1), ('B', 7), ('c', NULL);`,
		`INSERT INTO {U} VALUES(9, 2)`, [2]string{"{U}", "{M} < 5"}, `UPDATE {} SET "b #" = 3 WHERE {U} = 1`},
}

// TestOurOwnNamesAreUsersNames uses every identifier of the SQL that our code runs as a user's name. What is
// written in the Durable Object comes back, cell by cell; or the user is refused before anything changes.
func TestOurOwnNamesAreUsersNames(t *testing.T) {
	words := tracedWords(t)
	t.Logf("%d identifiers: %s", len(words), strings.Join(words, " "))
	for _, word := range []string{"value", "jsonb_each", "pragma_table_xinfo", "r", "n", "k", "p", "rowid", "_dbmigrate_row", "_dbmigrate_result_", "dbstat", "dbmigrate_renumbered", "dbmigrate_cold_0"} {
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
	for _, c := range effort.Some(t, "uses of our names", all, 1) {
		t.Run(c.use+" "+c.letters, func(t *testing.T) {
			t.Parallel()
			goThereAndBack(t, c.use+"-"+c.letters, uses[c.use], words, letterCases[c.letters])
		})
	}
}

func goThereAndBack(t *testing.T, name string, use use, words []string, letters func(string) string) {
	fill := func(text string) (filled []string) {
		for i, word := range words {
			filled = append(filled, names(word, i, letters).Replace(text))
		}
		return filled
	}
	create, write, coldWrite := fill(use.create), fill(use.write), fill(use.coldWrite)
	path := makeDatabase(t, strings.Join(create, "\n"), "")
	demandSurvey(t, path)
	u := newUser(t, "names-"+name)
	u.upload(path)
	u.must(
		u.run(result.ActionMigrate, u.engine.Migrate),
		result.OutcomeMigrated,
	) // a word could be refused, but none has to be
	u.writeAll("hot", write)
	u.writeAll("hot", coldWrite)
	u.comesBack(result.OutcomeExported, create, write, coldWrite)

	u = newUser(t, "names-split-"+name)
	u.upload(path)
	cold := map[string]string{}
	for i, table := range fill(use.cold[0]) {
		cold[strings.Trim(table, `"`)] = names(words[i], i, letters).Replace(use.cold[1])
	}
	u.split(cold)
	u.writeAll("hot", write)
	u.writeAll("cold", coldWrite)
	u.comesBack(result.OutcomeMerged, create, write, coldWrite)
}

// demandSurvey has a scan count the file.
func demandSurvey(t *testing.T, path string) {
	t.Helper()
	report, err := preflight.Survey(t.Context(), path, wire.DefaultLimits)
	if err != nil || report.Entries.Rows == 0 {
		t.Errorf("a scan counts %+v: %v", report.Entries, err)
	}
}

// names replaces what stands for names in the texts of uses.
func names(word string, number int, letters func(string) string) *strings.Replacer {
	quoted := func(name string) string { return `"` + name + `"` }
	return strings.NewReplacer("{}", quoted(letters(word)), "{U}", quoted(strings.ToUpper(word)),
		"{M}", quoted(letterCases["mixed"](word)), "#", fmt.Sprint(number))
}

func (u user) writeAll(scope string, statements []string) {
	for part := range slices.Chunk(statements, 40) {
		u.writeIn(scope, part...)
	}
}

// comesBack compares what a rollback gives back with what the same statements make of a file that never
// moved.
func (u user) comesBack(outcome result.Outcome, create, write, coldWrite []string) {
	u.Helper()
	u.must(u.run(result.ActionVerify, u.engine.Verify), result.OutcomeWritten)
	if outcome != result.OutcomeMerged { // a split user's rollback cannot be rehearsed
		u.must(u.run(result.ActionRehearse, u.engine.Rehearse), result.OutcomeRehearsed)
	}
	u.must(u.run(result.ActionRollback, u.rollback), outcome)
	want := makeDatabase(
		u.T,
		strings.Join(create, "\n"),
		strings.Join(slices.Concat(write, coldWrite), ";\n"),
	)
	if out, err := exec.Command("python3", "../../scripts/dbdigest.py", want, u.fetch()).CombinedOutput(); err != nil {
		u.Errorf("%v: %.2000s", err, out)
	}
}

func written(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	writeFile(t, path, []byte(content))
	return path
}
