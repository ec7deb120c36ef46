package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// censusQuery is one scan in whatever order SQLite likes: no keys, ranges or pages, which the readers of rows
// live on. The first sum packs what a row counts into one number (docs/wire-format.md, section 6); LIMIT -1
// keeps SQLite from writing it out for every use.
const censusQuery = `SELECT count(*), sum(p & 127), sum(p >> 7 & 127), sum(n), sum(p >> 14 & 16777215), sum(p >> 38),
	CAST(min(k) AS TEXT), CAST(max(k) AS TEXT), CAST(sum(p %% 32749 * (1 + (ifnull(k, p) & 65535))) AS TEXT)
	FROM (SELECT %s AS p, %s AS n, %s AS k FROM %s NOT INDEXED LIMIT -1)`

// censusColumns is how many columns one scan counts: the sums have room for no more, and a Durable Object's
// tables have none.
const censusColumns = 100

// Census counts what the table holds, apart from the code that reads its rows.
func (f *File) Census(ctx context.Context, t *Table) (wire.Census, error) {
	conn, err := f.rowConn(ctx)
	if err != nil {
		return wire.Census{}, fail("count rows of", t.Name, err)
	}
	defer conn.Watch(ctx)()
	var c wire.Census
	err = conn.Query(t.CensusSQL(), nil, func(s *capi.Stmt) error {
		if s.Int(0) == 0 {
			return nil
		}
		c = wire.Census{
			Rows:     s.Int(0),
			Integers: s.Int(1),
			Reals:    s.Int(2),
			Nulls:    s.Int(3),
			Text:     s.Int(4),
			Blob:     s.Int(5),
			First:    s.Text(6),
			Last:     s.Text(7),
			Sum:      s.Text(8),
		}
		return nil
	})
	if err != nil {
		return wire.Census{}, fail("count rows of", t.Name, err)
	}
	return c, nil
}

// CensusSQL is the query of a census.
func (t *Table) CensusSQL() string {
	rowid, ordered := t.rowidName()
	var weights, nulls []string
	for _, cell := range t.Cells {
		if ordered && cell == rowid {
			weights = append(weights, "1")
			continue
		}
		name := sqltext.Quote(cell)
		weights = append(
			weights,
			"CASE typeof("+name+") WHEN 'integer' THEN 1 WHEN 'text' THEN octet_length("+name+") << 14"+
				" WHEN 'real' THEN 128 WHEN 'blob' THEN octet_length("+name+") << 38 ELSE 0 END",
		)
		nulls = append(nulls, "("+name+" IS NULL)")
	}
	key := "NULL"
	if ordered {
		key = t.quoteCell(rowid)
	}
	return fmt.Sprintf(censusQuery, sumOf(weights), sumOf(nulls), key, sqltext.Quote(t.Name))
}

// rowidName is the cell that is the rowid. A WITHOUT ROWID table has none.
func (t *Table) rowidName() (name string, ok bool) {
	if t.Kind == WithoutRowidTable {
		return "", false
	}
	return t.Key[0].Name, true
}

// sumOf adds as a balanced tree: a Durable Object takes no expression deeper than 100.
func sumOf(terms []string) string {
	switch len(terms) {
	case 0:
		return "0"
	case 1:
		return terms[0]
	}
	half := len(terms) / 2
	return strings.Join([]string{"(", sumOf(terms[:half]), " + ", sumOf(terms[half:]), ")"}, "")
}

// Tally counts rows of t, in the order of t.Cells, into what Census has to find.
func (t *Table) Tally() *wire.Tally {
	return wire.NewTally(t.keyCells(), t.Kind != WithoutRowidTable)
}

func (t *Table) keyCells() []wire.KeyCell {
	cells := make([]wire.KeyCell, len(t.Key))
	for i, k := range t.Key {
		cells[i] = wire.KeyCell{Cell: k.Cell, Collation: k.Collation, Desc: k.Desc}
	}
	return cells
}

// Count adds a row that was read to a tally of t. A row out of order is a Mismatch.
func (t *Table) Count(tally *wire.Tally, row []wire.Value) error {
	if err := tally.Add(row); err != nil {
		return readWrongly(t.Name, err)
	}
	return nil
}

// DemandCensus holds what was read of the whole of t against a census, and returns that. A reader that skips
// rows does so in the copy and in its digest alike, so their agreement alone proves nothing.
func (f *File) DemandCensus(ctx context.Context, t *Table, read *wire.Tally) (wire.Census, error) {
	if len(t.Cells) > censusColumns+1 {
		return wire.Census{}, nil // no Durable Object holds such a table
	}
	counted, err := f.Census(ctx, t)
	if err != nil {
		return counted, err
	}
	if read := read.Census(); read != counted {
		return counted, readWrongly(t.Name, differs(counted, read))
	}
	return counted, nil
}

func differs(counted, read wire.Census) error {
	difference := counted.Difference(read)
	if difference == "" { // one of them has no row
		difference = fmt.Sprintf("%d against %d rows", counted.Rows, read.Rows)
	}
	return errors.New("a plain scan of the table and what was read of it differ: " + difference)
}

const hintMisread = "dbmigrate read this table wrongly, or the file changed meanwhile; nothing was switched. Run the command again, and if it fails again, please report the table's CREATE text"

// readWrongly says that the reader, not the data, is at fault.
func readWrongly(table string, err error) error {
	return &userdb.Error{
		Op:    "count rows of",
		Thing: table,
		Kind:  userdb.Mismatch,
		Err:   err,
		Hint:  hintMisread,
	}
}
