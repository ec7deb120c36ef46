package preflight

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func columns(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("c%d", i)
	}
	return strings.Join(names, ", ")
}

func longColumns(n, length int) string {
	names := strings.Split(columns(n), ", ")
	for i, name := range names {
		names[i] = name + strings.Repeat("n", length-len(name))
	}
	return strings.Join(names, ", ")
}

// chain is n triggers, each fired by the one before.
func chain(n int) []string {
	list := []string{"CREATE TABLE t0(a)"}
	for i := range n {
		list = append(
			list,
			fmt.Sprintf("CREATE TABLE t%d(a)", i+1),
			fmt.Sprintf(
				"CREATE TRIGGER g%d AFTER INSERT ON t%d BEGIN INSERT INTO t%d VALUES(new.a); END",
				i,
				i,
				i+1,
			),
		)
	}
	return list
}

// manyTexts are n tables with CREATE texts of some size.
func manyTexts(n, size int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("CREATE TABLE t%d(a /* %s */)", i, strings.Repeat("x", size)))
	}
	return list
}

// What a Durable Object makes and cannot use is a warning: it is moved, and comes back, as it is.
func TestPreflightWarnsOfWhatIsMadeAndNotUsed(t *testing.T) {
	long := strings.Repeat("x", 51)
	for _, c := range []struct {
		name       string
		statements []string
		level      sqlitefile.Level
	}{
		{"a view over too many columns", []string{"CREATE TABLE t(a)", "CREATE VIEW v AS SELECT a" + strings.Repeat(", a", 100) + " FROM t"}, sqlitefile.Warning},
		{"a view with a refused function", []string{"CREATE VIEW v AS SELECT log10(1)"}, sqlitefile.Warning},
		{"a view with an unknown function", []string{"CREATE VIEW v AS SELECT my_own(1)"}, sqlitefile.Warning},
		{"a view with a long pattern", []string{"CREATE VIEW v AS SELECT 'a' LIKE '" + long + "'"}, sqlitefile.Warning},
		{"a trigger with an unknown function", []string{"CREATE TABLE t(a)", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT my_own(1); END"}, sqlitefile.Warning},
		{"a trigger with a function that SQLite has", []string{"CREATE TABLE t(a)", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT power(1, 2); END"}, sqlitefile.Warning},
		{"a trigger with a long pattern", []string{"CREATE TABLE t(a)", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 'a' LIKE '" + long + "'; END"}, sqlitefile.Blocked},
		{"a trigger of a table in another case", []string{"CREATE TABLE t(a)", "CREATE TRIGGER tr AFTER INSERT ON T BEGIN SELECT 'a' LIKE '" + long + "'; END"}, sqlitefile.Blocked},
		{"a view of six terms, which no Durable Object makes", []string{"CREATE VIEW v AS SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6"}, sqlitefile.Blocked},
	} {
		t.Run(c.name, func(t *testing.T) {
			if report := preflight(t, makeFile(t, c.statements...)); report.Level != c.level ||
				len(report.Findings) != 1 {
				t.Errorf("want one finding of level %s: %+v", c.level, report)
			}
		})
	}
}

// Every case is a database that an application could have made.
func TestPreflightFindsInTheSchema(t *testing.T) {
	long := strings.Repeat("x", 51)
	deep := strings.Repeat("(1+", 101) + "1" + strings.Repeat(")", 101)
	for _, c := range []struct {
		name       string
		statements []string
		reason     sqlitefile.Reason // "" for none
		object     string
	}{
		{"100 columns", []string{"CREATE TABLE t(" + columns(100) + ")"}, "", ""},
		{"101 columns", []string{"CREATE TABLE t(" + columns(101) + ")"}, sqlitefile.ReasonTooManyColumns, "t"},
		{"a key of 33 columns", []string{"CREATE TABLE t(" + columns(100) + ", PRIMARY KEY(" + columns(33) + ")) WITHOUT ROWID"}, "", ""},
		{"a key of 34 columns", []string{"CREATE TABLE t(" + columns(100) + ", PRIMARY KEY(" + columns(34) + ")) WITHOUT ROWID"}, sqlitefile.ReasonTooManyColumns, "t"},
		{"a key of 34 columns beside a rowid", []string{"CREATE TABLE t(" + columns(100) + ", PRIMARY KEY(" + columns(34) + "))"}, "", ""},
		{"99 names of 390 bytes", []string{"CREATE TABLE t(" + longColumns(99, 390) + ")"}, "", ""},
		{"99 names of 405 bytes", []string{"CREATE TABLE t(" + longColumns(99, 405) + ")"}, sqlitefile.ReasonStatementLength, "t"},
		{"100 names of 90 bytes and a rowid", []string{"CREATE TABLE t(" + longColumns(100, 90) + ")"}, "", ""},
		{"100 names of 100 bytes and a rowid", []string{"CREATE TABLE t(" + longColumns(100, 100) + ")"}, sqlitefile.ReasonStatementLength, "t"},
		{"what hangs on a table that is refused", []string{"CREATE TABLE t(" + columns(101) + ")", "CREATE INDEX i ON t(c1)",
			"CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END"}, sqlitefile.ReasonTooManyColumns, "t"},
		{"a view of 101 columns", []string{"CREATE TABLE t(a)", "CREATE VIEW v AS SELECT a" + strings.Repeat(", a", 100) + " FROM t"}, sqlitefile.ReasonTooManyColumns, "v"},
		{"a text that only SQLite's own statement makes too long", []string{"CREATE TABLE t(a DEFAULT '" + strings.Repeat("x", 99_950) + "')"}, sqlitefile.ReasonStatementLength, "t"},
		{"a long text", []string{"CREATE TABLE t(a DEFAULT '" + strings.Repeat("x", 100_000) + "')"}, sqlitefile.ReasonStatementLength, "t"},
		{"a name of Cloudflare's", []string{"CREATE TABLE _CF_x(a)"}, sqlitefile.ReasonReservedName, "_CF_x"},
		{"an index with such a name", []string{"CREATE TABLE t(a)", "CREATE INDEX _cf_i ON t(a)"}, sqlitefile.ReasonReservedName, "_cf_i"},
		{"a name of miniflare's", []string{"CREATE TABLE __miniflare_do_name(a)"}, sqlitefile.ReasonReservedName, "__miniflare_do_name"},
		{"names that only look alike", []string{"CREATE TABLE __cf_x(_cf_y)", "CREATE TABLE _cfx(a)"}, "", ""},
		{"geopoly", []string{"CREATE VIRTUAL TABLE g USING geopoly(a)"}, sqlitefile.ReasonModule, "g"},
		{"contentless FTS5", []string{"CREATE VIRTUAL TABLE f USING fts5(a, content='')"}, sqlitefile.ReasonContentless, "f"},
		{"contentless FTS5 that deletes", []string{"CREATE VIRTUAL TABLE f USING fts5(a, content=\"\", contentless_delete=1)"}, sqlitefile.ReasonContentless, "f"},
		{"FTS5 with locales", []string{"CREATE VIRTUAL TABLE f USING fts5(a, locale=1)"}, sqlitefile.ReasonFTS5Locale, "f"},
		{"external FTS5 in step", []string{"CREATE TABLE d(a)", "CREATE VIRTUAL TABLE f USING fts5(a, content='d')", "INSERT INTO d VALUES('x')",
			"INSERT INTO f(rowid, a) VALUES(1, 'x')"}, "", ""},
		{"external FTS5 out of step", []string{"CREATE TABLE d(a)", "CREATE VIRTUAL TABLE f USING fts5(a, content='d')", "INSERT INTO d VALUES('x')"},
			sqlitefile.ReasonFTS5OutOfStep, "f"},
		{"external FTS5 beside a name that SQLite tells apart", []string{"CREATE TABLE \"é_content\"(a)", "CREATE VIRTUAL TABLE \"É\" USING fts5(a, content='é_content')"}, "", ""},
		{"external FTS5 without its table", []string{"CREATE VIRTUAL TABLE f USING fts5(a, content='gone')"}, sqlitefile.ReasonFTS5OutOfStep, "f"},
		{"hidden rowid", []string{"CREATE TABLE t(rowid, OID, _rowid_)"}, sqlitefile.ReasonHiddenRowid, "t"},
		{"hidden rowid with a key", []string{"CREATE TABLE t(rowid, OID INTEGER PRIMARY KEY, _rowid_)"}, "", ""},
		{"stat4", []string{"CREATE TABLE t(a)", "CREATE INDEX i ON t(a)", "INSERT INTO t VALUES(1)", "ANALYZE"}, sqlitefile.ReasonStatistics, "sqlite_stat4"},
		{"empty stat4", []string{"CREATE TABLE t(a)", "ANALYZE"}, sqlitefile.ReasonStatistics, "sqlite_stat4"},
		{"stat1", []string{"CREATE TABLE t(a)", "ANALYZE", "DROP TABLE sqlite_stat4"}, "", ""},

		{"functions in CHECK", []string{"CREATE TABLE t(a CHECK (power(a, 2) > 1))"}, sqlitefile.ReasonFunction, "t"},
		{"functions in DEFAULT", []string{"CREATE TABLE t(a DEFAULT (sqlite_version()))"}, sqlitefile.ReasonFunction, "t"},
		{"functions in a generated column", []string{"CREATE TABLE t(a, b AS (log10(a)))"}, sqlitefile.ReasonFunction, "t"},
		{"functions in an index", []string{"CREATE TABLE t(a)", "CREATE INDEX i ON t(ceiling(a))"}, sqlitefile.ReasonFunction, "i"},
		{"functions in a partial index", []string{"CREATE TABLE t(a)", "CREATE INDEX i ON t(a) WHERE soundex(a) > 'A'"}, sqlitefile.ReasonFunction, "i"},
		{"functions in a view", []string{"CREATE VIEW v AS SELECT json_pretty('{}')"}, sqlitefile.ReasonFunction, "v"},
		{"functions of the program in a view", []string{"CREATE VIEW v AS SELECT my_own(1)"}, sqlitefile.ReasonFunction, "v"},
		{"a table function in a view", []string{"CREATE VIEW v AS SELECT * FROM dbstat"}, "", ""},
		{"functions in a trigger", []string{"CREATE TABLE t(a)", "CREATE TRIGGER tr AFTER UPDATE OF a ON t BEGIN SELECT if(new.a, 1, 2); END"}, sqlitefile.ReasonFunction, "tr"},
		{"functions in WHEN", []string{"CREATE TABLE t(a)", "CREATE TRIGGER tr BEFORE DELETE ON t WHEN my_own(old.a) BEGIN SELECT 1; END"}, sqlitefile.ReasonFunction, "tr"},
		{"functions in INSTEAD OF", []string{"CREATE VIEW v AS SELECT 1 AS a", "CREATE TRIGGER tr INSTEAD OF INSERT ON v BEGIN SELECT my_own(new.a); END"}, sqlitefile.ReasonFunction, "tr"},
		{"a pattern of 50 bytes", []string{"CREATE TABLE t(a CHECK (a LIKE '" + long[:50] + "'))", "CREATE INDEX i ON t(a) WHERE a GLOB '" + long[:50] + "'"}, "", ""},
		{"a long pattern in CHECK", []string{"CREATE TABLE t(a CHECK (a NOT LIKE /* x */ ('" + long + "')))"}, sqlitefile.ReasonLikePattern, "t"},
		{"a long pattern in a partial index", []string{"CREATE TABLE t(a)", "CREATE INDEX i ON t(a) WHERE a GLOB '" + long + "'"}, sqlitefile.ReasonLikePattern, "i"},
		{"a long pattern in a generated column", []string{"CREATE TABLE t(a, b AS (a LIKE '" + long + "') STORED)"}, sqlitefile.ReasonLikePattern, "t"},
		{"a long pattern in a trigger", []string{"CREATE TABLE t(a)", "CREATE TRIGGER tr AFTER INSERT ON t WHEN new.a LIKE '" + long + "' BEGIN SELECT 1; END"}, sqlitefile.ReasonLikePattern, "tr"},
		{"a long pattern in a view", []string{"CREATE TABLE t(a)", "CREATE VIEW v AS SELECT * FROM t WHERE like('" + long + "', a)"}, sqlitefile.ReasonLikePattern, "v"},
		{"a long text that is no pattern", []string{"CREATE TABLE t(a CHECK (a LIKE 'x' OR a = '" + long + "'))"}, "", ""},
		{"ten triggers in a chain", chain(10), "", ""},
		{"eleven triggers in a chain", chain(11), sqlitefile.ReasonTriggerDepth, "t0"},
		{"a schema of 2 MB", manyTexts(21, 95_000), "", ""},
		{"a schema of more than 2 MB", manyTexts(22, 95_000), sqlitefile.ReasonSchemaTooBig, "t10"},
		{"REGEXP", []string{"CREATE TABLE t(a)", "CREATE VIEW v AS SELECT a FROM t WHERE a REGEXP 'x'"}, sqlitefile.ReasonFunction, "v"},
		{"what is no function", []string{
			"CREATE TABLE power(log10 VARCHAR(10) NOT NULL DEFAULT (abs(-1)), k DECIMAL(10, 2) REFERENCES power(log10), UNIQUE (log10), CHECK (k IN (1, 2)))",
			"CREATE VIEW v AS WITH soundex(a) AS (SELECT cast(k AS my_type(3)) FROM power) SELECT a, count(*) FILTER (WHERE a > 1) OVER (PARTITION BY a) FROM soundex WHERE a NOT IN (VALUES (1))",
			"CREATE TRIGGER tr AFTER INSERT ON power BEGIN INSERT INTO power(log10) VALUES (upper('x')) ON CONFLICT (log10) DO UPDATE SET (k, log10) = (1, 'ceiling()'); END",
			"CREATE VIEW w AS SELECT date('now'), 'x' LIKE 'y', 'x' GLOB 'y', '{}' -> '$.a', '{}' ->> '$.a', CURRENT_TIMESTAMP, row_number() OVER (), replace('a', 'b', 'c') AS \"if (\" /* power(1) */ -- power(2)",
		}, "", ""},
		{"a broken view", []string{"CREATE VIEW v AS SELECT missing FROM nowhere"}, "", ""},
		{"a broken trigger", []string{"CREATE TABLE t(a)", "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO gone VALUES(1); END"}, "", ""},
		{"five terms", []string{"CREATE VIEW v AS SELECT 1 UNION SELECT 2 UNION SELECT 3 EXCEPT SELECT 4 UNION ALL SELECT 5"}, "", ""},
		{"six terms", []string{"CREATE VIEW v AS SELECT 1 UNION SELECT 2 UNION SELECT 3 EXCEPT SELECT 4 UNION ALL SELECT 5 INTERSECT SELECT 6"}, sqlitefile.ReasonCompoundSelect, "v"},
		{"many VALUES", []string{"CREATE VIEW v AS VALUES (1), (2), (3), (4), (5), (6), (7)"}, "", ""},
		{"a deep expression", []string{"CREATE VIEW v AS SELECT " + deep}, sqlitefile.ReasonExpressionDepth, "v"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := preflight(t, makeFile(t, c.statements...))
			wantOne(t, report, c.reason, c.object)
		})
	}
}

func preflight(t *testing.T, path string) sqlitefile.Report {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check(context.Background(), path, wire.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("the check changed the file (%v)", err)
	}
	return report
}

// wantOne wants exactly one finding, or none for the reason "".
func wantOne(t *testing.T, report sqlitefile.Report, reason sqlitefile.Reason, object string) {
	t.Helper()
	if reason == "" {
		if len(report.Findings) != 0 || report.Level != sqlitefile.Ready || report.Err() != nil {
			t.Fatalf("want nothing found: %+v", report)
		}
		return
	}
	if len(report.Findings) != 1 || report.Findings[0].Reason != reason ||
		report.Findings[0].Object != object {
		t.Fatalf("want %s about %s: %+v", reason, object, report)
	}
	f := report.Findings[0]
	if f.Detail == "" || f.WayOut == "" || f.Level == sqlitefile.Ready || report.Level != f.Level {
		t.Errorf("the finding lacks something: %+v, level %s", f, report.Level)
	}
	if err := report.Err(); (err == nil) != (f.Level == sqlitefile.Warning) {
		t.Errorf("error %v for level %s", err, f.Level)
	}
}

// What only a change of the schema behind SQLite's back can bring about.
func TestPreflightFindsEditedSchemas(t *testing.T) {
	edit := func(t *testing.T, makes []string, from, to string) string {
		path := makeFile(t, makes...)
		conn, err := capi.Open(path, capi.ReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		allowSchemaEdits(t, conn)
		if err := conn.Exec("UPDATE sqlite_schema SET sql = replace(sql, ?1, ?2)", wire.TextValue(from), wire.TextValue(to)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name     string
		makes    []string
		from, to string
		reason   sqlitefile.Reason
		column   string
		key      string
		count    int64
	}{
		{"numbers in TEXT", []string{"CREATE TABLE t(a KIND)", "INSERT INTO t VALUES(1), ('x'), (2.5)"}, "KIND", "TEXT", sqlitefile.ReasonValueChanges, "a", "1", 2},
		{"numeric texts in INTEGER", []string{"CREATE TABLE t(a TEXT)", "INSERT INTO t VALUES('x'), ('12'), (' 1e3 ')"}, "TEXT", "INTEGER", sqlitefile.ReasonValueChanges, "a", "2", 2},
		{"whole REALs in NUMERIC", []string{"CREATE TABLE t(a BLOB)", "INSERT INTO t VALUES(1.5), (2.0)"}, "BLOB", "NUMERIC", sqlitefile.ReasonValueChanges, "a", "2", 1},
		{"NULL in NOT NULL", []string{"CREATE TABLE t(k INTEGER PRIMARY KEY, a /**/)", "INSERT INTO t VALUES(7, NULL)"}, "/**/", "NOT NULL", sqlitefile.ReasonNotNull, "a", "7", 1},
		{"text in a STRICT INT", []string{"CREATE TABLE t(a TEXT) STRICT", "INSERT INTO t VALUES('x')"}, "a TEXT", "a INT ", sqlitefile.ReasonStrictType, "a", "1", 1},
		{"another CREATE text", []string{"CREATE TABLE t(a)"}, "CREATE TABLE", "create table", sqlitefile.ReasonTextChanges, "", "", 0},
		{"a text that is not UTF-8", []string{"CREATE TABLE t(a /*x*/)"}, "x", "\xff", sqlitefile.ReasonTextEncoding, "", "", 0},
		{"an unknown collation", []string{"CREATE TABLE t(a COLLATE NOCASE)"}, "NOCASE", "german", sqlitefile.ReasonCollation, "", "", 0},
		{"an unknown tokenizer", []string{"CREATE VIRTUAL TABLE t USING fts5(a, tokenize=trigram)"}, "trigram", "chinese", sqlitefile.ReasonTokenizer, "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := preflight(t, edit(t, c.makes, c.from, c.to))
			wantOne(t, report, c.reason, "t")
			if f := report.Findings[0]; f.Column != c.column || f.Key != c.key || f.Count != c.count {
				t.Errorf("want column %q, row %q, %d rows: %+v", c.column, c.key, c.count, f)
			}
			wantKind(t, report.Err(), userdb.Blocked)
		})
	}
}

func TestPreflightFindsInTheRows(t *testing.T) {
	path := makeFile(
		t,
		"CREATE TABLE t(k TEXT PRIMARY KEY, a, b) WITHOUT ROWID",
		"CREATE TABLE r(a REAL)",
		"CREATE TABLE w(a, b)",
		"INSERT INTO t VALUES('ok', zeroblob(1999900), 1), ('big', 1, zeroblob(2000001)), ('sum', zeroblob(1000000), zeroblob(1000001))",
		"INSERT INTO w(rowid, a, b) VALUES(9, 1, zeroblob(6000000))",
	)
	conn, err := capi.Open(path, capi.ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	allowSchemaEdits(t, conn)
	execAll(
		t,
		conn,
		"UPDATE sqlite_schema SET sql = 'CREATE TABLE r(a     )' WHERE name = 'r'",
		"PRAGMA writable_schema=RESET",
	)
	if err := conn.Exec("INSERT INTO r VALUES(?)", wire.Value{Class: wire.Real, Real: math.Copysign(0, -1)}); err != nil {
		t.Fatal(err)
	}
	allowSchemaEdits(t, conn)
	execAll(
		t,
		conn,
		"UPDATE sqlite_schema SET sql = 'CREATE TABLE r(a REAL)' WHERE name = 'r'",
		"PRAGMA writable_schema=RESET",
	)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range preflight(t, path).Findings {
		got = append(got, fmt.Sprintf("%s %s.%s %s %d", f.Reason, f.Object, f.Column, f.Key, f.Count))
	}
	want := []string{`row-too-large t.b "big" 2`, `value-changes r.a 1 1`, `row-too-large w.b 9 1`}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPreflightFindsInTheFile(t *testing.T) {
	good, err := os.ReadFile(
		makeFile(
			t,
			"CREATE TABLE t(a)",
			"INSERT INTO t VALUES(randomblob(9000)), (2)",
			"CREATE INDEX i ON t(a)",
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(at int, bytes ...byte) []byte {
		content := slices.Clone(good)
		copy(content[at:], bytes)
		return content
	}
	random := make([]byte, 4096)
	for i := range random {
		random[i] = byte(i*167 + i/7)
	}
	tombstone, err := userdb.Tombstone{Lin: 1, Non: 1, User: "u", Receipt: []byte(`{}`)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		content []byte
		reason  sqlitefile.Reason
		kind    userdb.Kind
	}{
		{"nothing", nil, sqlitefile.ReasonEmptyFile, userdb.NotSQLite},
		{"HTML", []byte(strings.Repeat("<html>", 1000)), sqlitefile.ReasonNotSQLite, userdb.NotSQLite},
		{"half a header", good[:60], sqlitefile.ReasonNotSQLite, userdb.NotSQLite},
		{"a tombstone", tombstone, sqlitefile.ReasonTombstone, userdb.NotSQLite},
		{"random bytes", random, sqlitefile.ReasonEncrypted, userdb.NotSQLite},
		{"cut off", good[:len(good)-100], sqlitefile.ReasonTruncated, userdb.Damaged},
		{"a header only", good[:100], sqlitefile.ReasonTruncated, userdb.Damaged},
		{"another page size", changed(16, 3, 0), sqlitefile.ReasonDamaged, userdb.Damaged},
		{"a checkpoint that did not end", append(changed(18, 2, 2), bytes.Repeat([]byte{1}, 4096)...), sqlitefile.ReasonWALLeftBehind, userdb.Damaged},
		{"a later format", changed(18, 3, 3), sqlitefile.ReasonNewerFormat, userdb.NotSQLite},
		{"poison without a fence", changed(18, 255), sqlitefile.ReasonNewerFormat, userdb.NotSQLite},
		{"a broken schema page", changed(100, make([]byte, 12)...), sqlitefile.ReasonDamaged, userdb.Damaged},
		{"a broken table page", changed(4096, make([]byte, 4096)...), sqlitefile.ReasonDamaged, userdb.Damaged},
		{"an index that lies", slices.Replace(slices.Clone(good), len(good)-4096, len(good)-4090, good[:6]...), sqlitefile.ReasonDamaged, userdb.Damaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.db")
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			report := preflight(t, path)
			if got := reasonsOf(report.Findings); !slices.Contains(got, c.reason) {
				t.Errorf("found %v, want %s: %+v", got, c.reason, report)
			}
			wantKind(t, report.Err(), c.kind)
			if f, err := sqlitefile.Open(context.Background(), path); err == nil {
				f.Close()
			} else if findingIn(t, err).Reason != c.reason {
				t.Errorf("Open: %v", err)
			}
		})
	}
}

// Zeros behind the last page are room that was made ahead. Anything else is refused, and VACUUM is a way out
// that works.
func TestTailsOfWriteAheadLogFiles(t *testing.T) {
	good, err := os.ReadFile(
		makeFile(
			t,
			"PRAGMA page_size=4096",
			"CREATE TABLE t(a)",
			"INSERT INTO t VALUES(7)",
			"PRAGMA journal_mode=WAL",
		),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tail []byte
		want sqlitefile.Reason
	}{
		"a page of zeros":     {make([]byte, 4096), sqlitefile.ReasonWALMode},
		"some zeros":          {make([]byte, 100), sqlitefile.ReasonWALMode},
		"many zeros":          {make([]byte, 1<<20), sqlitefile.ReasonWALMode},
		"a page":              {bytes.Repeat([]byte{1}, 4096), sqlitefile.ReasonWALLeftBehind},
		"zeros, then one bit": {append(make([]byte, 200_000), 1), sqlitefile.ReasonWALLeftBehind},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tail.db")
			if err := os.WriteFile(path, append(slices.Clone(good), c.tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			report := preflight(t, path)
			if got := reasonsOf(report.Findings); !slices.Equal(got, []sqlitefile.Reason{c.want}) {
				t.Fatalf("%+v", report)
			}
			if c.want == sqlitefile.ReasonWALMode {
				return
			}
			if !strings.Contains(report.Findings[0].WayOut, "VACUUM") {
				t.Errorf("the way out is %q", report.Findings[0].WayOut)
			}
			conn, err := capi.Open(path, capi.ReadWrite)
			if err != nil {
				t.Fatal(err)
			}
			conn.Limit(sqlite3.SQLITE_LIMIT_ATTACHED, 2) // VACUUM attaches what it writes
			execAll(t, conn, "VACUUM")
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			if report := preflight(t, path); report.Err() != nil {
				t.Errorf("after VACUUM: %+v", report)
			}
		})
	}
}

func TestPreflightTakesViolatedConstraints(t *testing.T) {
	path := makeFile(
		t,
		"CREATE TABLE p(id INTEGER PRIMARY KEY)",
		"CREATE TABLE t(a CHECK (a > 0), b REFERENCES p(id))",
		"INSERT INTO t VALUES(-1, 99)",
	)
	wantOne(t, preflight(t, path), "", "")
}

func TestPreflightDatabaseTooLarge(t *testing.T) {
	f := openFile(t, makeFile(t, "CREATE TABLE t(a)", "INSERT INTO t VALUES(zeroblob(100000))"))
	limits := wire.DefaultLimits
	limits.DatabaseBytes = 50_000
	report, err := CheckFile(context.Background(), f, limits)
	if err != nil {
		t.Fatal(err)
	}
	wantOne(t, report, sqlitefile.ReasonDatabaseTooBig, "")
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("the operator had enough")
	cancel(why)
	path := makeFile(
		t,
		"CREATE TABLE t(a)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i FROM n",
	)
	_, err := CheckFile(ctx, openFile(t, path), wire.DefaultLimits)
	wantKind(t, err, userdb.Interrupted)
	if !errors.Is(err, why) {
		t.Errorf("%v, want the cause", err)
	}
}

// SQLite does not mind the case of a type. A table that is called Table has its rows all the same.
func TestUnknownTypesAreRefused(t *testing.T) {
	for _, c := range []struct{ name, becomes string }{
		{"t", "Table"}, {"i", "INDEX"}, {"tr", "Trigger"}, {"v", "VIEW"}, {"sqlite_sequence", "TABLE"},
	} {
		path := makeFile(
			t,
			"CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b)",
			"CREATE INDEX i ON t(b)",
			"CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT 1; END",
			"CREATE VIEW v AS SELECT 1",
			"INSERT INTO t VALUES(7, 8)",
		)
		conn, err := capi.Open(path, capi.ReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.AllowSchemaEdits(); err != nil {
			t.Fatal(err)
		}
		execAll(t, conn, "UPDATE sqlite_schema SET type = '"+c.becomes+"' WHERE name = '"+c.name+"'")
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		report := preflight(t, path)
		if len(report.Findings) != 1 || report.Findings[0].Reason != sqlitefile.ReasonTextChanges || report.Findings[0].Object != c.name {
			t.Errorf("%s as %s: %+v", c.name, c.becomes, report)
		}
	}
}

func TestDescendingKeysOfOldFormatsAreRefused(t *testing.T) {
	path := makeFile(t, "CREATE TABLE other(a)")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[44+3] = 1 // the schema format
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := capi.Open(path, capi.ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	execAll(
		t,
		conn,
		"CREATE TABLE down(a, b, PRIMARY KEY(a DESC)) WITHOUT ROWID",
		"CREATE TABLE up(a, b, PRIMARY KEY(a)) WITHOUT ROWID",
		"CREATE INDEX i ON other(a DESC)",
		"INSERT INTO down VALUES(1, 2), (2, 3)",
	)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	wantOne(t, preflight(t, path), sqlitefile.ReasonSchemaFormat, "down")
	if conn, err = capi.Open(path, capi.ReadWrite); err != nil {
		t.Fatal(err)
	}
	conn.Limit(sqlite3.SQLITE_LIMIT_ATTACHED, 2) // VACUUM attaches what it writes
	execAll(t, conn, "VACUUM")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if report := preflight(t, path); report.Level != sqlitefile.Ready {
		t.Errorf("after VACUUM: %+v", report)
	}
}
