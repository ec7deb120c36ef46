package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// rowTexts reads a range of a table as text, one string for each row.
func rowTexts(t testing.TB, f *File, table *Table, r Range) []string {
	t.Helper()
	var rows []string
	err := f.RowsIn(context.Background(), table, r, func(row []wire.Value) error {
		cells, reals := wire.AppendRow(nil, nil, row)
		rows = append(rows, fmt.Sprintf("%s %x", cells, reals))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func keysOf(t testing.TB, f *File, table *Table) []wire.Key {
	t.Helper()
	var keys []wire.Key
	err := f.Rows(context.Background(), table, nil, func(row []wire.Value) error {
		keys = append(keys, table.KeyOf(row))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// Every table, cut at random keys: the parts together are the whole, in the same order.
func TestRangesCoverEveryTable(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, shape := range []hardShape{hardShapes[0], hardShapes[3]} {
		f := openFile(t, makeHard(t, shape))
		for i := range f.Tables() {
			table := &f.Tables()[i]
			whole, keys := rowTexts(t, f, table, Range{}), keysOf(t, f, table)
			for range 8 {
				if len(keys) == 0 {
					break
				}
				a, b := random.IntN(len(keys)), random.IntN(len(keys))
				a, b = min(a, b), max(a, b)
				for what, got := range map[string][2][]string{
					"upto":        {rowTexts(t, f, table, Range{Upto: keys[a]}), whole[:a+1]},
					"after":       {rowTexts(t, f, table, Range{After: keys[b]}), whole[b+1:]},
					"between":     {rowTexts(t, f, table, Range{After: keys[a], Upto: keys[b]}), whole[a+1 : b+1]},
					"limit":       {rowTexts(t, f, table, Range{After: keys[a], Limit: 2}), whole[a+1 : min(a+3, len(whole))]},
					"wrong order": {rowTexts(t, f, table, Range{After: keys[b], Upto: keys[a]}), nil},
				} {
					if !slices.Equal(got[0], got[1]) {
						t.Fatalf(
							"%v, table %s, %s of %d and %d: %d rows, want %d",
							shape,
							table.Name,
							what,
							a,
							b,
							len(got[0]),
							len(got[1]),
						)
					}
				}
			}
		}
	}
}

func TestRangeDigest(t *testing.T) {
	f := openFile(t, makeHard(t, hardShapes[0]))
	table, ok := f.Table("w r")
	if !ok {
		t.Fatal("no table")
	}
	keys := keysOf(t, f, table)
	got, err := f.RangeDigest(context.Background(), table, Range{After: keys[3], Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows != 5 || formatKey(got.Last) != formatKey(keys[8]) {
		t.Errorf("%d rows up to %s, want 5 up to %s", got.Rows, formatKey(got.Last), formatKey(keys[8]))
	}
	same, err := f.RangeDigest(context.Background(), table, Range{After: keys[3], Upto: keys[8]})
	if err != nil || same.Digest != got.Digest {
		t.Errorf("the same range by its end: %+v, %v", same, err)
	}
	other, err := f.RangeDigest(context.Background(), table, Range{After: keys[2], Upto: keys[8]})
	if err != nil || other.Digest == got.Digest {
		t.Errorf("another range has the same digest (%v)", err)
	}
}

func TestStopAndErrorsOfYield(t *testing.T) {
	f := openFile(t, makeHard(t, hardShapes[2]))
	table, _ := f.Table("ints")
	rows := 0
	if err := f.Rows(context.Background(), table, nil, func([]wire.Value) error { rows++; return ErrStop }); err != nil ||
		rows != 1 {
		t.Errorf("Stop: %d rows, %v", rows, err)
	}
	mine := errors.New("mine")
	if err := f.Rows(context.Background(), table, nil, func([]wire.Value) error { return mine }); !errors.Is(
		err,
		mine,
	) {
		t.Errorf("an error of yield came back as %v", err)
	}
}

// What the other side derives by itself from the same description (worker/src/store/catalog.ts).
func TestTableShapes(t *testing.T) {
	f := openFile(t, makeHard(t, hardShapes[0]))
	got := map[string]string{}
	for _, table := range f.Tables() {
		var key []string
		for _, k := range table.Key {
			key = append(key, fmt.Sprintf("%s/%s/%v/%d", k.Name, k.Collation, k.Desc, k.Cell))
		}
		got[table.Name] = fmt.Sprintf(
			"%s | %s | %s",
			strings.Join(table.Cells, ","),
			strings.Join(table.Import, ","),
			strings.Join(key, ","),
		)
	}
	for name, want := range map[string]string{
		"ints":           "id,v,n | id,v,n | id/BINARY/false/0",
		"bits":           "rowid,v,r | rowid,v,r | rowid/BINARY/false/0",
		"w r":            "a,b,c,d | a,b,c,d | b/BINARY/true/1,a/NOCASE/false/0,c/RTRIM/true/2",
		"gen":            "rowid,s,a,z | rowid,a,z | rowid/BINARY/false/0",
		"descending":     "rowid,id,v | rowid,id,v | rowid/BINARY/false/0",
		"alias":          "rowid,oid,_rowid_ | rowid,oid,_rowid_ | oid/BINARY/false/1",
		"taken":          "oid,rowid,_ROWID_ | oid,rowid,_ROWID_ | oid/BINARY/false/0",
		"own":            "rowid,title,body | rowid,title,body | rowid/BINARY/false/0",
		"box":            "id,x0,x1,label,other thing | id,x0,x1,label,other thing | id/BINARY/false/0",
		"grid":           "id,x0,x1,y0,y1 | id,x0,x1,y0,y1 | id/BINARY/false/0",
		sequenceTable:    "rowid,name,seq | rowid,name,seq | rowid/BINARY/false/0",
		stat1Table:       "rowid,tbl,idx,stat | rowid,tbl,idx,stat | rowid/BINARY/false/0",
		"outside":        "",
		"words":          "",
		"own_content":    "",
		"strictly":       "i,r,t,b,a,id | i,r,t,b,a,id | id/BINARY/false/5",
		`ünïcode 𝕊`:      "rowid,ключ,[x] | rowid,ключ,[x] | rowid/BINARY/false/0",
		"sqlite_stat4":   "",
		"docview":        "",
		"overview":       "",
		"own_idx":        "",
		"emptied":        "id | id | id/BINARY/false/0",
		"box_rowid":      "",
		"docs":           "id,body | id,body | id/BINARY/false/0",
		"textkey":        "k,v | k,v | k/BINARY/false/0",
		"stored_default": "rowid,a,b,c | rowid,a,b,c | rowid/BINARY/false/0",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if last := f.Tables()[len(f.Tables())-2:]; last[0].Name != sequenceTable &&
		last[1].Name != sequenceTable {
		t.Error("sqlite_sequence does not come last")
	}
}

// A Durable Object takes an INTEGER PRIMARY KEY named "" for the rowid as well, so no other cell carries it.
func TestTableShapesWithoutAName(t *testing.T) {
	f := openFile(t, makeFile(t, `CREATE TABLE t(v, "" INTEGER PRIMARY KEY)`))
	table := f.Tables()[0]
	if got, want := strings.Join(table.Cells, ","), "v,"; got != want {
		t.Errorf("cells %q, want %q", got, want)
	}
	if got, want := table.Key[0], (KeyColumn{Collation: "BINARY", Cell: 1}); got != want {
		t.Errorf("key %+v, want %+v", got, want)
	}
}

// Rows come in key order without sorting, so that memory stays flat; only an rtree has no order of its own.
func TestReadingNeedsNoSorting(t *testing.T) {
	f := openFile(t, makeHard(t, hardShapes[0]))
	for i := range f.Tables() {
		table := &f.Tables()[i]
		keys := keysOf(t, f, table)
		if strings.HasPrefix(table.Name, "box") || strings.HasPrefix(table.Name, "grid") || len(keys) == 0 {
			continue
		}
		s := scan{
			conn:  f.conn,
			table: table,
			row:   make([]wire.Value, len(table.Cells)),
			yield: func([]wire.Value) error { return nil },
		}
		for equal := range table.Key {
			var plan []string
			sql := "EXPLAIN QUERY PLAN " + s.sql(s.where(equal), "")
			err := f.conn.Query(sql, keys[0][:equal+1], func(stmt *capi.Stmt) error {
				plan = append(plan, stmt.Text(3))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.Join(plan, "; "); strings.Contains(text, "TEMP B-TREE") ||
				strings.Contains(text, "COVERING INDEX") {
				t.Errorf("%s: %s", table.Name, text)
			}
		}
	}
}
