package sqlitefile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func schemaOf(encoding string, objects ...wire.Object) wire.Schema {
	return wire.Schema{
		Header:  wire.Header{PageSize: 4096, Encoding: encoding, WriteVersion: 1, ReadVersion: 1},
		Objects: objects,
	}
}

func table(name, sql string) wire.Object {
	return wire.Object{Type: "table", Name: name, Table: name, SQL: sql}
}

func mustCreate(t *testing.T, schema wire.Schema) (*Builder, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "built.db")
	b, err := Create(path, schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Abort() })
	return b, path
}

func wantAbsent(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err == nil {
		t.Errorf("%s was left behind", filepath.Base(path))
	}
}

func TestCreateRefuses(t *testing.T) {
	for name, schema := range map[string]wire.Schema{
		"an encoding":             schemaOf("UTF-8'; DROP TABLE x; --"),
		"a page size":             {Header: wire.Header{PageSize: 1000, Encoding: UTF8, WriteVersion: 1, ReadVersion: 1}},
		"a version":               {Header: wire.Header{PageSize: 512, Encoding: UTF8, WriteVersion: 255, ReadVersion: 1}},
		"no CREATE":               schemaOf(UTF8, table("t", "DROP TABLE t")),
		"two statements":          schemaOf(UTF8, table("t", "CREATE TABLE t(a); CREATE TABLE u(a)")),
		"another kind":            schemaOf(UTF8, table("t", "CREATE VIEW t AS SELECT 1")),
		"a module of the machine": schemaOf(UTF8, table("t", "CREATE VIRTUAL TABLE t USING dbstat")),
		"nonsense":                schemaOf(UTF8, table("t", "CREATE TABLE t(")),
		"the same name twice":     schemaOf(UTF8, table("t", "CREATE TABLE t(a)"), table("t", "CREATE TABLE t(a)")),
	} {
		path := filepath.Join(t.TempDir(), "built.db")
		if b, err := Create(path, schema); err == nil {
			t.Errorf("%s was accepted", name)
			b.Abort()
		}
		wantAbsent(t, path)
	}
}

func TestCreateKeepsAFileThatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "built.db")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path, schemaOf(UTF8)); err == nil {
		t.Error("it was overwritten")
	}
	if content, _ := os.ReadFile(path); string(content) != "precious" {
		t.Errorf("it holds %q now", content)
	}
}

func TestInsertRefuses(t *testing.T) {
	b, _ := mustCreate(
		t,
		schemaOf(
			UTF8,
			table("t", "CREATE TABLE t(a INTEGER PRIMARY KEY, b NOT NULL, g AS (b) STORED)"),
			table("f", "CREATE VIRTUAL TABLE f USING fts5(x)"),
		),
	)
	for name, into := range map[string][2]string{
		"no table": {"gone", "a"}, "a shadow table": {"f_content", "id c0"}, "an unknown column": {"t", "a x"}, "a missing column": {"t", "a"},
		"a rowid that a column shows": {"t", "rowid a b"}, "SQLite's own table": {"sqlite_schema", "type"}, "no statistics": {stat1Table, "rowid tbl idx stat"},
	} {
		if _, err := b.Into(into[0], strings.Fields(into[1])); err == nil {
			t.Errorf("%s was accepted", name)
		} else {
			wantKind(t, err, userdb.ProtocolError)
		}
	}
	in, err := b.Into("t", []string{"a", "b", "g"})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, in.Add([]wire.Value{integer(1)}), userdb.ProtocolError)
	wantKind(t, in.Add([]wire.Value{integer(1), null(), null()}), userdb.Refused)
	if err := in.Add([]wire.Value{integer(1), text("x"), null()}); err != nil {
		t.Error(err)
	}
	err = in.Add([]wire.Value{integer(1), text("x"), null()})
	wantKind(t, err, userdb.Refused)
	if !strings.Contains(err.Error(), "row 1") {
		t.Errorf("the error does not name the row: %v", err)
	}
}

func TestInvalidTextIntoUTF16IsRefused(t *testing.T) {
	b, path := mustCreate(t, schemaOf(UTF16le, table("t", "CREATE TABLE t(a, b)")))
	err := b.Insert(
		"t",
		[]string{"rowid", "a", "b"},
		[][]wire.Value{{integer(-4), text("good"), text("bad\xff")}},
	)
	wantKind(t, err, userdb.Blocked)
	if f := findingIn(t, err); f.Reason != ReasonInvalidText || f.Object != "t" || f.Column != "b" ||
		f.Key != "-4" {
		t.Errorf("%+v", f)
	}
	if err := b.Abort(); err != nil {
		t.Error(err)
	}
	wantAbsent(t, path)
}

func TestFinishRefuses(t *testing.T) {
	unique := wire.Object{Type: "index", Name: "i", Table: "t", SQL: "CREATE UNIQUE INDEX i ON t(a)"}
	b, path := mustCreate(t, schemaOf(UTF8, table("t", "CREATE TABLE t(a)"), unique))
	if err := b.Insert("t", []string{"rowid", "a"}, [][]wire.Value{{integer(1), text("x")}, {integer(2), text("x")}}); err != nil {
		t.Fatal(err)
	}
	err := b.Finish(context.Background())
	wantKind(t, err, userdb.Blocked)
	if f := findingIn(t, err); f.Object != "i" {
		t.Errorf("%+v", f)
	}
	wantAbsent(t, path)
	if err := b.Finish(context.Background()); err == nil {
		t.Error("finished after it had failed")
	}
}

func TestFinishRestoresTextsThatSQLiteWouldChange(t *testing.T) {
	schema := schemaOf(UTF16be, table("t", "create   table t(a)"),
		wire.Object{Type: "view", Name: "v", Table: "v", SQL: "CREATE TEMPORARY VIEW v AS SELECT 1"})
	path := filepath.Join(t.TempDir(), "built.db")
	if b, err := Create(path, schema); err == nil {
		if err := b.Finish(context.Background()); err == nil {
			t.Error("a temporary view is none of the file")
		}
	}
	schema.Objects[1].SQL = "create view v as select 1"
	b, path := mustCreate(t, schema)
	if err := b.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	built, err := openFile(t, path).Schema()
	if err != nil || wire.SchemaDigest(built) != wire.SchemaDigest(schema) {
		t.Errorf("built %+v, %v", built, err)
	}
}

func TestFinishIsInterrupted(t *testing.T) {
	f := openFile(t, makeApp(t, 2))
	schema, err := f.Schema()
	if err != nil {
		t.Fatal(err)
	}
	b, path := mustCreate(t, schema)
	table := &f.Tables()[0]
	in, err := b.Into(table.Name, table.Cells)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Rows(context.Background(), table, nil, in.Add); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantKind(t, b.Finish(ctx), userdb.Interrupted)
	wantAbsent(t, path)
}

// A user's table may have the names that the Builder uses for its own.
func TestNamesOfTheBuilderAreFree(t *testing.T) {
	schema := schemaOf(
		UTF8,
		table("dbmigrate_helper", "CREATE TABLE dbmigrate_helper(a)"),
		table(stagedSequence, "CREATE TABLE "+stagedSequence+"(name, seq)"),
	)
	schema.Header.Internal = []string{sequenceTable}
	b, path := mustCreate(t, schema)
	rows := [][]wire.Value{{integer(3), text("x"), integer(1)}}
	for _, name := range []string{stagedSequence, sequenceTable} {
		if err := b.Insert(name, []string{"rowid", "name", "seq"}, rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, table := range digestOf(t, openFile(t, path)).Tables {
		if want := map[string]int64{stagedSequence: 1, sequenceTable: 1, "dbmigrate_helper": 0}[table.Name]; table.Rows != want {
			t.Errorf("%s has %d rows, want %d", table.Name, table.Rows, want)
		}
	}
}

// An application may have made full-text tables in its Durable Object: no message lists how these are filled.
func TestFullTextTablesThatNoMessageLists(t *testing.T) {
	docs := table("d", "CREATE TABLE d(a)")
	b, path := mustCreate(
		t,
		schemaOf(UTF8, docs, table("f", "CREATE VIRTUAL TABLE f USING fts5(a, content=d)")),
	)
	if err := b.Insert("d", []string{"rowid", "a"}, [][]wire.Value{{integer(4), text("word")}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, path)
	damage, integrityErr := f.CheckIntegrity(t.Context())
	list, indexErr := f.CheckExternalIndexes(t.Context())
	if err := errors.Join(integrityErr, indexErr); err != nil || len(damage)+len(list) != 0 {
		t.Errorf("damaged, or out of step: %v, %v, %v", damage, list, err)
	}

	b, path = mustCreate(
		t,
		schemaOf(UTF8, table("f", "CREATE VIRTUAL TABLE f USING fts5(a, content='')")),
	)
	err := b.Finish(context.Background())
	wantKind(t, err, userdb.Blocked)
	if findingIn(t, err).Object != "f" {
		t.Error(err)
	}
	wantAbsent(t, path)
}

// A temporary table of ours would be found before a user's table of the same name, and take its index and
// trigger.
func TestObjectsOfATableWithOurNameStayWithIt(t *testing.T) {
	f := openFile(
		t,
		makeFile(
			t,
			"CREATE TABLE "+stagedSequence+"(a INTEGER PRIMARY KEY AUTOINCREMENT, b)",
			"INSERT INTO "+stagedSequence+" VALUES(5, 'x')",
			"CREATE INDEX by_b ON "+stagedSequence+"(b)",
			"CREATE TRIGGER after_all AFTER DELETE ON "+stagedSequence+" BEGIN SELECT 1; END",
		),
	)
	again := openFile(t, rebuild(t, f))
	wantSameDigest(t, digestOf(t, again), digestOf(t, f))
}

// Where the disk is full, the text of an index is not to blame.
func TestFullDiskIsNotTheSchemas(t *testing.T) {
	index := wire.Object{Type: "index", Name: "i", Table: "t", SQL: "CREATE INDEX i ON t(a)"}
	b, _ := mustCreate(t, schemaOf(UTF8, table("t", "CREATE TABLE t(a)"), index))
	if err := b.execAll("PRAGMA max_page_count=1"); err != nil { // no more than there are
		t.Fatal(err)
	}
	err := b.createObjects("index")
	if !capi.IsNoRoom(err) || userdb.KindOf(err) == userdb.Blocked {
		t.Errorf("kind %s: %v", userdb.KindOf(err), err)
	}
}

// A conflict clause of the schema would drop rows that came, without a word.
func TestConflictClausesDropNoRow(t *testing.T) {
	for _, clause := range []string{"REPLACE", "IGNORE"} {
		path := filepath.Join(t.TempDir(), "built.db")
		b, err := Create(path, wire.Schema{
			Header:  wire.Header{PageSize: 4096, Encoding: UTF8, WriteVersion: 1, ReadVersion: 1},
			Objects: []wire.Object{{Type: "table", Name: "t", Table: "t", SQL: "CREATE TABLE t(a UNIQUE ON CONFLICT " + clause + ")"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		one := wire.Value{Class: wire.Integer, Int: 1}
		two := wire.Value{Class: wire.Integer, Int: 2}
		err = b.Insert("t", []string{"rowid", "a"}, [][]wire.Value{{one, one}, {two, one}})
		wantKind(t, err, userdb.Refused)
		if err := b.Abort(); err != nil {
			t.Error(err)
		}
	}
}
