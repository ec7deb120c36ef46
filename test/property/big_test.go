package property

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

// TestBigDatabasesComeBack moves what is large in one way. A whole run takes the sizes that the design names.
func TestBigDatabasesComeBack(t *testing.T) {
	tables, rows := effort.Amount(t, "tables", 40, 2_000), effort.Amount(t, "rows", 10_000, 1_000_000)
	for _, c := range []struct {
		name, sql string
	}{
		{"tables", manyTables(tables)},
		{"rows", manyRows(rows)},
		{"cells", largeCells},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "big.sqlite")
			db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)")
			if err != nil {
				t.Fatal(err)
			}
			_, err = db.Exec("BEGIN;" + c.sql + ";COMMIT")
			if closed := db.Close(); err != nil || closed != nil {
				t.Fatal(err, closed)
			}
			mustComeBack(newUser(t, "big-"+c.name), path, nil)
		})
	}
}

// manyTables makes n tables, each with an index and a row, and a view and a trigger for some.
func manyTables(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(
			&b,
			"CREATE TABLE table_%d(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO table_%d VALUES(%d, 'row'); CREATE INDEX index_%d ON table_%d(v);",
			i,
			i,
			i*i,
			i,
			i,
		)
		if i%10 == 0 {
			fmt.Fprintf(
				&b,
				"CREATE VIEW view_%d AS SELECT v FROM table_%d; CREATE TRIGGER trigger_%d AFTER INSERT ON table_%d BEGIN DELETE FROM table_0; END;",
				i,
				i,
				i,
				i,
			)
		}
	}
	return b.String()
}

func manyRows(n int) string {
	return fmt.Sprintf(`CREATE TABLE small(a, b); CREATE INDEX by_b ON small(b);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO small SELECT i, i * 0.1 FROM n`, n)
}

// largeCells has cells just below what a Durable Object holds, of each class that can be large, and a row of
// several.
const largeCells = `CREATE TABLE large(id INTEGER PRIMARY KEY, v); CREATE TABLE keyed(k PRIMARY KEY, v) WITHOUT ROWID; CREATE TABLE wide(a, b, c);
	INSERT INTO large VALUES(1, randomblob(1900000)), (2, hex(randomblob(950000))), (3, zeroblob(1999900)), (4, CAST(randomblob(1900000) AS TEXT));
	INSERT INTO keyed VALUES('k', randomblob(1900000)), (randomblob(300000), 1);
	INSERT INTO wide VALUES(randomblob(600000), CAST(zeroblob(600000) AS TEXT), hex(randomblob(300000)))`
