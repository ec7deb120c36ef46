package preflight

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/dbfile"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func makeUTF16(t *testing.T, statements ...string) string {
	return makeFile(t, append([]string{"PRAGMA encoding='UTF-16le'"}, statements...)...)
}

func TestLoneSurrogatesAreRefused(t *testing.T) {
	path := makeUTF16(
		t,
		"CREATE TABLE t(k TEXT PRIMARY KEY, v) WITHOUT ROWID",
		"INSERT INTO t VALUES('good', 1), ('bad', CAST(x'00d86100' AS TEXT))",
	)
	report := preflight(t, path)
	wantOne(t, report, sqlitefile.ReasonInvalidText, "t")
	if f := report.Findings[0]; f.Column != "v" {
		t.Errorf("%+v", f)
	}
	_, err := openFile(t, path).Digest(context.Background())
	wantKind(t, err, userdb.Blocked)
	if findingIn(t, err).Reason != sqlitefile.ReasonInvalidText {
		t.Error(err)
	}
	if _, err := os.Stat(path + ".utf8"); err == nil {
		t.Error("the copy was left behind")
	}
}

// The copy must not hide what the rows of a UTF-16 file have against them.
func TestUTF16RowsAreChecked(t *testing.T) {
	path := makeUTF16(t, "CREATE TABLE t(a KIND)", "INSERT INTO t VALUES(1)")
	dbfile.Edit(t, path, "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a TEXT)'")
	wantOne(t, preflight(t, path), sqlitefile.ReasonValueChanges, "t")
	_, err := openFile(t, path).Digest(context.Background())
	wantKind(t, err, userdb.Blocked)
}

// A STORED column is computed from bytes that are others in a Durable Object, and again on the way back.
func TestStoredColumnsInUTF16AreRefused(t *testing.T) {
	path := makeUTF16(t, "CREATE TABLE t(a, g AS (hex(a)) STORED)", "INSERT INTO t(a) VALUES('aé')")
	report, err := Check(t.Context(), path, wire.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if problems := report.Problems(); len(problems) != 1 || problems[0].Code != sqlitefile.ReasonStoredEncoding {
		t.Errorf("%+v", problems)
	}
	virtual := makeUTF16(t, "CREATE TABLE t(a, g AS (hex(a)))", "INSERT INTO t(a) VALUES('aé')")
	if report, err := Check(t.Context(), virtual, wire.DefaultLimits); err != nil || report.Verdict() != sqlitefile.Ready {
		t.Errorf("a VIRTUAL column: %v, %v", report.Findings, err)
	}

	header := wire.Header{PageSize: 4096, Encoding: sqlitefile.UTF16le, WriteVersion: 1, ReadVersion: 1}
	made := wire.Schema{Header: header, Objects: []wire.Object{
		{Type: "table", Name: "later", Table: "later", SQL: "CREATE TABLE later(a, g AS (hex(a)) STORED)"},
	}}
	_, err = sqlitefile.Create(filepath.Join(t.TempDir(), "built"), made)
	if problems := sqlitefile.ProblemsOf(err); len(problems) != 1 || problems[0].Code != sqlitefile.ReasonStoredEncoding {
		t.Errorf("built: %v", err)
	}
}

// What a VIRTUAL column computes in UTF-8 must not let rows vanish from the copy, with which all is compared.
func TestComputedKeysInUTF16LoseNoRow(t *testing.T) {
	for _, constraint := range []string{
		"substr(CAST(a AS BLOB), 3, 1)) UNIQUE",
		"substr(CAST(a AS BLOB), 3, 1)) UNIQUE ON CONFLICT REPLACE",
		"substr(CAST(a AS BLOB), 3, 1)) UNIQUE ON CONFLICT IGNORE",
		"nullif(hex(a), '616258')) NOT NULL ON CONFLICT IGNORE",
		"nullif(hex(a), '616258')) NOT NULL ON CONFLICT REPLACE",
	} {
		path := makeUTF16(t, "CREATE TABLE t(a, g AS ("+constraint+")", "INSERT INTO t(a) VALUES('abX'), ('acX')")
		report, err := Check(t.Context(), path, wire.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if problems := report.Problems(); len(problems) != 1 || problems[0].Code != sqlitefile.ReasonComputedEncoding {
			t.Errorf("%s: %d rows, %+v", constraint, report.Rows, problems)
		}
		if digest, err := openFile(t, path).Digest(t.Context()); err == nil {
			t.Errorf("%s: a digest over %d rows", constraint, digest.Tables[0].Rows)
		}
	}
}
