package property

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// mutatedRows is more than two pages of the digest, so that a difference has to be searched for.
const mutatedRows = 5000

const mutatedSchema = `
CREATE TABLE items(id INTEGER PRIMARY KEY AUTOINCREMENT, v, note TEXT);
CREATE TABLE plain(x, y REAL);
CREATE TABLE keyed(a TEXT, b INTEGER, v BLOB, PRIMARY KEY(a, b DESC)) WITHOUT ROWID;
CREATE TABLE quiet(x);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO items SELECT i * 10, 5, 'note ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO plain(rowid, x, y) SELECT i * 10, 'row ' || i, i / 4.0 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO keyed SELECT 'k' || (i % 7), i, zeroblob(i % 50) FROM n;
CREATE INDEX by_note ON items(note);
CREATE VIEW latest AS SELECT max(id) FROM items;
CREATE TRIGGER quietly AFTER INSERT ON quiet BEGIN UPDATE quiet SET x = 1; END;
`

// mutation is one change behind dbmigrate's back, and how the first difference begins that verify has to name
// for it.
type mutation struct {
	name string
	sql  []string
	want string
}

// mutations of row number i, from 1 to mutatedRows.
func mutations(i int) []mutation {
	id, a := i*10, fmt.Sprintf("k%d", i%7)
	items := fmt.Sprintf(`table "items" row %d`, id)
	plain := fmt.Sprintf(`table "plain" row %d`, id)
	long := strings.Repeat("0", i%50*2)
	return []mutation{
		{
			"a cell",
			[]string{fmt.Sprintf("UPDATE items SET note = 'Note %d' WHERE id = %d", i, id)},
			fmt.Sprintf(`%s column "note": "note %d" against "Note %d"`, items, i, i),
		},
		{
			"a cell to NULL",
			[]string{fmt.Sprintf("UPDATE items SET note = NULL WHERE id = %d", id)},
			fmt.Sprintf(`%s column "note": "note %d" against NULL`, items, i),
		},
		{
			"a real by a little",
			[]string{fmt.Sprintf("UPDATE plain SET y = y + 1e-12 WHERE rowid = %d", id)},
			fmt.Sprintf(`%s column "y": %s against `, plain, realText(i)),
		},
		{
			"a blob",
			[]string{fmt.Sprintf("UPDATE keyed SET v = x'01' WHERE a = '%s' AND b = %d", a, i)},
			fmt.Sprintf(`table "keyed" row "%s", %d column "v": x'%s' against x'01'`, a, i, long),
		},
		{
			"an integer to text",
			[]string{fmt.Sprintf("UPDATE items SET v = '5' WHERE id = %d", id)},
			items + ` column "v": 5 against "5"`,
		},
		{
			"an integer to a real",
			[]string{fmt.Sprintf("UPDATE items SET v = 5.0 WHERE id = %d", id)},
			items + ` column "v": 5 against 5.0`,
		},
		{
			"a text to a blob",
			[]string{fmt.Sprintf("UPDATE plain SET x = cast(x AS BLOB) WHERE rowid = %d", id)},
			fmt.Sprintf(`%s column "x": "row %d" against x'%x'`, plain, i, fmt.Sprintf("row %d", i)),
		},
		{
			"a rowid",
			[]string{fmt.Sprintf("UPDATE plain SET rowid = %d WHERE rowid = %d", id+5, id)},
			fmt.Sprintf("%s has rowid %d against %d", plain, id, id+5),
		},
		{
			"a rowid far away",
			[]string{fmt.Sprintf("UPDATE plain SET rowid = -3 WHERE rowid = %d", id)},
			fmt.Sprintf("%s has rowid %d against -3", plain, id),
		},
		{
			"a missing row",
			[]string{fmt.Sprintf("DELETE FROM plain WHERE rowid = %d", id)},
			fmt.Sprintf(`%s is missing on the right: (%d, "row %d", %s)`, plain, id, i, realText(i)),
		},
		{
			"a missing row by key",
			[]string{fmt.Sprintf("DELETE FROM keyed WHERE a = '%s' AND b = %d", a, i)},
			fmt.Sprintf(`table "keyed" row "%s", %d is missing on the right: `, a, i),
		},
		{
			"an extra row",
			[]string{fmt.Sprintf("INSERT INTO plain(rowid, x) VALUES(%d, 'new')", id+1)},
			fmt.Sprintf(`table "plain" row %d is extra on the right: (%d, "new", NULL)`, id+1, id+1),
		},
		{
			"a sequence value",
			[]string{"UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'items'"},
			`table "sqlite_sequence" row 1 column "seq": 50000 against 50001`,
		},
		{
			"an index that is gone",
			[]string{"DROP INDEX by_note"},
			`index "by_note" is missing on the right: "CREATE INDEX by_note ON items(note)"`,
		},
		{
			"an index text",
			[]string{"DROP INDEX by_note", "CREATE INDEX by_note ON items(note  )"},
			`index "by_note": "CREATE INDEX by_note ON items(note)" against "CREATE INDEX by_note ON items(note  )"`,
		},
		{"a view text", []string{"DROP VIEW latest", "CREATE VIEW latest AS SELECT min(id) FROM items"},
			`view "latest": "CREATE VIEW latest AS SELECT max(id) FROM items" against "CREATE VIEW latest AS SELECT min(id) FROM items"`},
		{
			"a trigger text",
			[]string{
				"DROP TRIGGER quietly",
				"CREATE TRIGGER quietly AFTER INSERT ON quiet BEGIN UPDATE quiet SET x = 2; END",
			},
			`trigger "quietly": ...[18:]"etly AFTER INSERT ON quiet BEGIN UPDATE quiet SET x = 1; END" (78 bytes) against `,
		},
		{
			"a table that is gone",
			[]string{"DROP TABLE keyed"},
			`table "keyed" is missing on the right: "CREATE TABLE keyed`,
		},
		{
			"a table too many",
			[]string{"CREATE TABLE extra(x)"},
			`table "extra" is extra on the right: "CREATE TABLE extra(x)"`,
		},
	}
}

func realText(i int) string {
	text := fmt.Sprint(float64(i) / 4)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// TestVerifyFindsAndNamesEveryMutation changes one thing in a Durable Object past its own code, right after
// verify found both sides equal, and prints a table of what was found. A whole run repeats every kind at five
// places.
func TestVerifyFindsAndNamesEveryMutation(t *testing.T) {
	path := mutatedDatabase(t)
	const seed = 1
	rounds := effort.Amount(t, "places for each kind", 1, 5)
	random := rand.New(rand.NewPCG(seed, 0))
	table := "| mutation | made | found and named |\n|---|---|---|\n"
	for _, n := range effort.Numbered(t, "kinds of mutations", len(mutations(1)), 3) {
		kind, made, found := mutations(1)[n], 0, 0
		for round := range rounds {
			m := mutations(1 + random.IntN(mutatedRows))[n]
			t.Run(fmt.Sprint(m.name, " ", round), func(t *testing.T) {
				made++
				mustName(migrated(t, fmt.Sprintf("mutation-%d-%d-%d", seed, n, round), path), m)
				if !t.Failed() {
					found++
				}
			})
		}
		table += fmt.Sprintf("| %s | %d | %d |\n", kind.name, made, found)
	}
	docpage.Publish(t, "mutations", fmt.Sprintf("Seed %d.\n\n%s", seed, table))
}

func mustName(u user, m mutation) {
	u.Helper()
	u.mutate(m.sql...)
	lines := u.wantDifferent()
	u.Logf("named: %s", lines[0])
	if !strings.HasPrefix(lines[0], m.want) {
		u.Errorf("named\n%s\nwant first\n%s", strings.Join(lines, "\n"), m.want)
	}
}

func mutatedDatabase(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mutated.sqlite")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(mutatedSchema); err != nil {
		t.Fatal(err)
	}
	return path
}

// migrated is a user in the Durable Object just after verify said that both sides are equal: the digest has
// been computed.
func migrated(t *testing.T, id, path string) user {
	t.Helper()
	u := newUser(t, id)
	u.upload(path)
	u.must(u.migrate(), result.OutcomeMigrated)
	u.must(u.engine.Verify(t.Context(), u.id), result.OutcomeEqual)
	return u
}

func (u user) wantDifferent() []string {
	u.Helper()
	r := u.engine.Verify(u.Context(), u.id)
	if r.Outcome != result.OutcomeDifferent || userdb.KindOf(r.Err()) != userdb.Mismatch ||
		len(r.Differences) == 0 {
		u.Fatalf("verify ended as %s: %v, %q", r.Outcome, r.Err(), r.Differences)
	}
	return r.Differences
}

// mutate runs SQL in the user's Durable Object without its class knowing, as a console of the platform would.
func (u user) mutate(statements ...string) {
	u.Helper()
	type query struct {
		SQL string `json:"sql"`
	}
	var queries []query
	for _, s := range statements {
		queries = append(queries, query{s})
	}
	body, err := json.Marshal(map[string]any{"durable_object_name": u.id, "queries": queries})
	if err != nil {
		u.Fatal(err)
	}
	url := cloud.KVBaseURL + "/workers/durable_objects/namespaces/dbmigrate-sample-UserDataStore/query"
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		u.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(`"success":true`)) {
		u.Fatalf("mutate %s: %v HTTP %d %s", u.id, err, resp.StatusCode, answer)
	}
}

func TestVerifySaysWhenThereAreMoreDifferencesThanItNames(t *testing.T) {
	u := migrated(t, "mutation-many", mutatedDatabase(t))
	u.mutate("UPDATE items SET note = 'x' WHERE id % 1000 = 0", "DELETE FROM plain WHERE rowid > 40000")
	lines := u.wantDifferent()
	if len(lines) != 23 || lines[20] != "and more: only the first 20 are named" ||
		lines[21][:13] != `table "items"` {
		t.Errorf("%d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}

func TestVerifyNamesTablesOnlyAfterGC(t *testing.T) {
	u := migrated(t, "mutation-freed", mutatedDatabase(t))
	u.free()
	u.mutate("UPDATE items SET v = 6 WHERE id = 10")
	lines := u.wantDifferent()
	if len(lines) != 2 || !strings.HasPrefix(lines[1], `table "items": 5000 rows with digest`) ||
		lines[0] != "only tables can be named: the kept file was freed by gc" {
		t.Errorf("lines are %q", lines)
	}
}

// What the kept file has is all that is left of what was imported: gc must not take it when the Durable
// Object has something else.
func TestGCKeepsTheFileOfAMutatedUser(t *testing.T) {
	u := migrated(t, "mutation-gc", mutatedDatabase(t))
	flag, ok := u.flag()
	item, _ := u.engine.GarbageCollector().Look(t.Context(), inspect.Found{User: u.id, Flagged: ok, Flag: flag.Meta}, 0)
	u.mutate("DELETE FROM plain")
	item.Flag = flag.Meta
	r := u.engine.GarbageCollector().Free(t.Context(), *item, gc.Options{})
	if r.Err() == nil || !strings.Contains(r.Err().Error(), "differs from what was imported") {
		t.Errorf("gc ended as %s: %v", r.Outcome, r.Err())
	}
	if lines := u.wantDifferent(); !slices.ContainsFunc(
		lines,
		func(l string) bool { return strings.HasPrefix(l, `table "plain" row 10 is missing`) },
	) {
		t.Errorf("lines are %q", lines)
	}
}
