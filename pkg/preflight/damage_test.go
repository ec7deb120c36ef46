package preflight

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// damagePage is the page size of the files that are damaged here: page 1 is the schema, page 2 the table t.
const damagePage = 4096

// What quick_check does not see, or what sends a reader in circles, is found and named, and the file is
// refused.
func TestDamageIsFoundAndNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T) string
		object string
	}{
		{"an index that counts wrongly", shortIndex, "i"},
		{"an index with another value", func(t *testing.T) string {
			return damagedFile(t, func(content []byte) { content[slices.Index(content[2*damagePage:], 0x7b)+2*damagePage] = 0x7a },
				"CREATE TABLE t(a)", "CREATE INDEX i ON t(a)", "INSERT INTO t VALUES(123)")
		}, "i"},
		{"an overflow chain that loops", func(t *testing.T) string {
			return damagedFile(t, func(content []byte) { binary.BigEndian.PutUint32(content[3*damagePage:], 3) }, "CREATE TABLE t(a)", "INSERT INTO t VALUES(zeroblob(20000))")
		}, "t"},
		{"an overflow chain that ends early", func(t *testing.T) string {
			return damagedFile(t, func(content []byte) { binary.BigEndian.PutUint32(content[3*damagePage:], 0) }, "CREATE TABLE t(a)", "INSERT INTO t VALUES(zeroblob(20000))")
		}, "t"},
		{"a tree that leads to itself", func(t *testing.T) string {
			return damagedFile(t, func(content []byte) { binary.BigEndian.PutUint32(content[damagePage+8:], 2) },
				"CREATE TABLE t(a)", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 500) INSERT INTO t SELECT zeroblob(100) FROM n")
		}, "t"},
		{"rows out of order", func(t *testing.T) string {
			return damagedFile(t, func(content []byte) {
				cells := content[damagePage+8:]
				cells[0], cells[1], cells[2], cells[3] = cells[2], cells[3], cells[0], cells[1]
			}, "CREATE TABLE t(a)", "INSERT INTO t VALUES(1), (2)")
		}, "t"},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := preflight(t, c.damage(t))
			i := slices.IndexFunc(
				report.Findings,
				func(f sqlitefile.Finding) bool { return f.Reason == sqlitefile.ReasonDamaged && f.Object == c.object },
			)
			if i < 0 {
				t.Fatalf("no damage of %s found: %+v", c.object, report)
			}
			t.Logf("%s: %s", c.object, report.Findings[i].Detail)
			wantKind(t, report.Err(), userdb.Damaged)
		})
	}
}

func damagedFile(t *testing.T, damage func([]byte), statements ...string) string {
	t.Helper()
	content, err := os.ReadFile(makeFile(t, slices.Concat([]string{"PRAGMA page_size=4096"}, statements)...))
	if err != nil {
		t.Fatal(err)
	}
	damage(content)
	path := filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// shortIndex adds a row while the schema does not show the index: count(*), which asks the index, answers 2
// of 3.
func shortIndex(t *testing.T) string {
	t.Helper()
	path := makeFile(
		t,
		"CREATE TABLE t(a NOT NULL, b)",
		"CREATE INDEX i ON t(a)",
		"INSERT INTO t VALUES(1, zeroblob(50)), (2, zeroblob(50))",
	)
	root := int64(0)
	for _, run := range []func(conn *capi.Conn){
		func(conn *capi.Conn) {
			if err := conn.Query("SELECT rootpage FROM sqlite_schema WHERE name='i'", nil, func(s *capi.Stmt) error { root = s.Int(0); return nil }); err != nil {
				t.Fatal(err)
			}
			allowSchemaEdits(t, conn)
			execAll(t, conn, "DELETE FROM sqlite_schema WHERE name='i'")
		},
		func(conn *capi.Conn) { execAll(t, conn, "INSERT INTO t VALUES(3, zeroblob(50))") },
		func(conn *capi.Conn) {
			allowSchemaEdits(t, conn)
			if err := conn.Exec("INSERT INTO sqlite_schema VALUES('index','i','t',?,'CREATE INDEX i ON t(a)')", wire.IntValue(root)); err != nil {
				t.Fatal(err)
			}
		},
		func(conn *capi.Conn) { wantCounts(t, conn) },
	} {
		conn, err := capi.Open(path, capi.ReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		run(conn)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func wantCounts(t *testing.T, conn *capi.Conn) {
	t.Helper()
	for query, want := range map[string]int64{"SELECT count(*) FROM t": 2, "SELECT count(*) FROM t NOT INDEXED": 3} {
		if err := conn.Query(query, nil, func(s *capi.Stmt) error {
			if got := s.Int(0); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Query("PRAGMA quick_check", nil, func(s *capi.Stmt) error {
		t.Logf("quick_check says %q", s.Text(0))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
