package sqlitefile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// What SQL counts is what a reader without faults counts, for every kind of table and value.
func TestCensusIsWhatIsRead(t *testing.T) {
	wide := make([]string, 100)
	for i := range wide {
		wide[i] = fmt.Sprintf("c%d", i)
	}
	for name, statements := range map[string][]string{
		"every class":    {"CREATE TABLE t(n INTEGER PRIMARY KEY, v, w)", "INSERT INTO t VALUES(1, 'ä', x'00'), (2, 1.5, NULL), (-7, 9, -9223372036854775808)"},
		"hidden rowid":   {"CREATE TABLE t(p, n, k)", "INSERT INTO t(rowid, p, n) VALUES(-9223372036854775808, 1, 'x'), (9223372036854775807, 2.5, zeroblob(70000))"},
		"rowid taken":    {"CREATE TABLE t(rowid TEXT, v)", "INSERT INTO t VALUES('a', 1), ('b', 2)"},
		"without rowid":  {"CREATE TABLE t(k TEXT, l INT, v, PRIMARY KEY(k DESC, l)) WITHOUT ROWID", "INSERT INTO t VALUES('b', 2, 1), ('a', 10, 2.0), ('a', 9, 'x')"},
		"folded keys":    {"CREATE TABLE t(k TEXT COLLATE NOCASE, l COLLATE RTRIM, PRIMARY KEY(k, l)) WITHOUT ROWID", "INSERT INTO t VALUES('b', 'x '), ('A', 'y'), ('a', 'x'), ('Z', x'00'), ('z', 1), ('y', 1.5), ('y', 1)"},
		"numbers as key": {"CREATE TABLE t(k PRIMARY KEY) WITHOUT ROWID", "INSERT INTO t VALUES(9007199254740993), (9007199254740992.0), (-1e300), (1e300), ('1'), (x'31'), (0.5), (0)"},
		"generated":      {"CREATE TABLE t(a, b AS (a || 'x') STORED, c AS (a || 'y') VIRTUAL)", "INSERT INTO t(a) VALUES('q'), (2)"},
		"empty":          {"CREATE TABLE t(a)"},
		"wide":           {"CREATE TABLE t(" + strings.Join(wide, ", ") + ")", "INSERT INTO t(c0, c99) VALUES('x', 1.5)", "INSERT INTO t(c50) VALUES(5)"},
		"full text":      {"CREATE VIRTUAL TABLE t USING fts5(a, b)", "INSERT INTO t VALUES('some words', 'more'), ('x', NULL)"},
		"rtree":          {"CREATE VIRTUAL TABLE t USING rtree(id, x0, x1)", "INSERT INTO t VALUES(5, 1, 2), (3, 0.5, 7)"},
		"unnamed number": {`CREATE TABLE ""(v, "" INTEGER PRIMARY KEY)`, `INSERT INTO "" VALUES('a', 9), (x'00', -3)`},
		"unnamed key":    {`CREATE TABLE t(v, "" PRIMARY KEY) WITHOUT ROWID`, `INSERT INTO t VALUES('a', 'k'), (1.0, 7)`},
		"unnamed column": {`CREATE TABLE t(v, "")`, `INSERT INTO t VALUES(1, NULL), ('b', -0.5)`},
		"unnamed box":    {`CREATE VIRTUAL TABLE t USING rtree("", low, high)`, `INSERT INTO t VALUES(5, 1, 2), (-4, 0, 1)`},
		"UTF-16":         {"PRAGMA encoding = 'UTF-16le'", "CREATE TABLE t(k TEXT PRIMARY KEY, v) WITHOUT ROWID", "INSERT INTO t VALUES('ä', 'ö'), (char(0xffff), 2), (char(0x10000), 3), ('a', 4)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := openFile(t, makeFile(t, statements...))
			for i := range f.Tables() {
				table := &f.Tables()[i]
				tally := table.Tally()
				err := f.Rows(
					t.Context(),
					table,
					nil,
					func(row []wire.Value) error { return table.Count(tally, row) },
				)
				if err != nil {
					t.Fatal(err)
				}
				census, err := f.DemandCensus(t.Context(), table, tally)
				if err != nil || census.Taken() != (name != "empty") {
					t.Errorf("%+v: %v", census, err)
				}
			}
			again := openFile(t, rebuild(t, f))
			wantSameDigest(t, digestOf(t, again), digestOf(t, f))
		})
	}
}

// Every fault of a reader shows, in the order of the keys or in the census.
func TestCensusFindsEveryFaultOfAReader(t *testing.T) {
	f := openFile(t, makeFile(
		t,
		"CREATE TABLE r(n INTEGER PRIMARY KEY, v, w REAL)",
		"WITH RECURSIVE q(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM q WHERE i < 300) INSERT INTO r SELECT i, 'v' || (i * 7 % 300), i / 3.0 FROM q",
		"CREATE TABLE w(v TEXT, n INT, w REAL, PRIMARY KEY(n)) WITHOUT ROWID",
		"INSERT INTO w SELECT v, n, w FROM r",
	))
	for i := range f.Tables() {
		table := &f.Tables()[i]
		rows := readRows(t, f, table)
		for name, fault := range readerFaults {
			if table.Kind == WithoutRowidTable && name == "gives two rows each other's texts" {
				continue // nothing ties a row's hash to its key there
			}
			t.Run(table.Name+" "+name, func(t *testing.T) {
				tally := table.Tally()
				var err error
				for _, row := range fault(rows) {
					if err = table.Count(tally, row); err != nil {
						break
					}
				}
				if err == nil {
					_, err = f.DemandCensus(t.Context(), table, tally)
				}
				wantKind(t, err, userdb.Mismatch)
			})
		}
	}
}

type rows = [][]wire.Value

// readerFaults are what a damaged reader may make of 300 rows that it reads in pages of 100.
var readerFaults = map[string]func(rows) rows{
	"skips a row at a page boundary": func(r rows) rows { return join(r[:100], r[101:]) },
	"repeats a page":                 func(r rows) rows { return join(r[:200], r[100:]) },
	"stops early":                    func(r rows) rows { return r[:200] },
	"reads nothing":                  func(rows) rows { return nil },
	"swaps two pages":                func(r rows) rows { return join(r[100:200], r[:100], r[200:]) },
	"sorts by another column": func(r rows) rows {
		sorted := join(r)
		for i := range sorted { // i * 7 % 300 is a permutation
			sorted[i*7%300] = r[i]
		}
		return sorted
	},
	"drops REALs": func(r rows) rows {
		return each(r, func(v wire.Value) wire.Value {
			if v.Class == wire.Real {
				return wire.NullValue()
			}
			return v
		})
	},
	"cuts a text": func(r rows) rows {
		out := each(r, func(v wire.Value) wire.Value { return v })
		for i, v := range out[7] {
			if v.Class == wire.Text {
				out[7][i].Bytes = v.Bytes[:1]
			}
		}
		return out
	},
	"gives two rows each other's texts": func(r rows) rows {
		out := each(r, func(v wire.Value) wire.Value { return v })
		for i, v := range out[7] {
			if v.Class == wire.Text {
				out[7][i], out[0][i] = out[0][i], v
			}
		}
		return out
	},
}

func join(parts ...rows) rows {
	var out rows
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

func each(r rows, change func(wire.Value) wire.Value) rows {
	out := make(rows, len(r))
	for i, row := range r {
		for _, v := range row {
			out[i] = append(out[i], change(v))
		}
	}
	return out
}

func readRows(t *testing.T, f *File, table *Table) rows {
	t.Helper()
	var out rows
	err := f.Rows(t.Context(), table, nil, func(row []wire.Value) error {
		var kept []wire.Value
		for _, v := range row {
			kept = append(kept, v.Clone())
		}
		out = append(out, kept)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A user's table is found before a table-valued function of the same name.
func TestTablesNamedLikeFunctions(t *testing.T) {
	names := []string{
		"pragma_table_list",
		"pragma_table_xinfo",
		"pragma_index_list",
		"pragma_index_xinfo",
		"jsonb_each",
		"json_each",
		"json_tree",
	}
	var statements []string
	for _, name := range names {
		statements = append(
			statements,
			"CREATE TABLE "+name+"(k TEXT, n INT, v, PRIMARY KEY(k, n)) WITHOUT ROWID",
			"INSERT INTO "+name+" VALUES('b', 2, 1), ('a', 10, 2.0), ('a', 9, 'x')",
		)
	}
	f := openFile(t, makeFile(t, statements...))
	if got := len(f.Tables()); got != len(names) {
		t.Fatalf("%d tables, want %d", got, len(names))
	}
	again := openFile(t, rebuild(t, f))
	wantSameDigest(t, digestOf(t, again), digestOf(t, f))
}
