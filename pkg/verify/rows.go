package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const (
	// stride is the longest range that a side is asked to digest at once, in rows: it bounds the time and
	// memory of one request.
	stride = 32_768
	// leafRows is how many rows of the left side are transferred when a difference is down to them.
	leafRows = 16
)

// Side is one of two databases: the file, or the Durable Object. Rows yields the rows with after < key <=
// upto in key order. A row and its bytes need to be valid only during the call of yield. An error of yield
// ends the walk and is returned.
type Side interface {
	Range(ctx context.Context, req wire.RangeRequest) (wire.RangeDigest, error)
	Rows(ctx context.Context, table string, after, upto wire.Key, yield func(row []wire.Value) error) error
}

// Table says how the rows of a table are read: the names of their cells in order (the rowid's first where no
// column shows it), and which cells are the key. Rowid is false for WITHOUT ROWID tables.
type Table struct {
	Name    string
	Columns []string
	Key     []int
	Rowid   bool
}

func (t Table) key(row []wire.Value) wire.Key {
	key := make(wire.Key, len(t.Key))
	for i, at := range t.Key {
		key[i] = row[at]
	}
	return key
}

// RowDifference is one row, or one cell of it, that differs.
type RowDifference struct {
	Kind   Kind     `json:"kind"`
	Table  string   `json:"table"`
	Key    wire.Key `json:"key"`
	Column string   `json:"column,omitempty"` // for Value and Type
	Left   string   `json:"left,omitempty"`   // shortened (Shorten)
	Right  string   `json:"right,omitempty"`
}

func (d RowDifference) String() string {
	row := fmt.Sprintf("table %.100q row %s", d.Table, keyText(d.Key))
	switch d.Kind {
	case Missing:
		return row + " is missing on the right: " + d.Left
	case Extra:
		return row + " is extra on the right: " + d.Right
	case Rowid:
		return fmt.Sprintf("%s has rowid %s against %s", row, d.Left, d.Right)
	}
	return fmt.Sprintf("%s column %.100q: %s against %s", row, d.Column, d.Left, d.Right)
}

func keyText(key wire.Key) string {
	parts := make([]string, len(key))
	for i, v := range key {
		parts[i] = Shorten(v, 0)
	}
	return strings.Join(parts, ", ")
}

// errEnough ends the search when the limit of differences is reached.
var errEnough = errors.New("enough differences")

// Rows finds at most limit (at least one) differences between the rows of a table, in key order of the left
// side. It compares digests of ranges, halves those that differ, and transfers only the last few rows: one
// changed row in a million costs about a hundred small requests and a few dozen rows. The left side is only
// ever asked with keys that it returned itself. A side that is written to meanwhile is a Conflict.
func Rows(ctx context.Context, t Table, left, right Side, limit int) ([]RowDifference, error) {
	f := &finder{
		table: t,
		left:  &guarded{side: left, name: "left"},
		right: &guarded{side: right, name: "right"},
		limit: limit,
	}
	err := f.walk(ctx)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return f.differences(), err
}

// finder holds one search.
type finder struct {
	table       Table
	left, right *guarded
	limit       int
	found       []foundRow
}

// walk goes through the table in strides.
func (f *finder) walk(ctx context.Context) error {
	var after wire.Key
	for {
		l, err := f.left.digest(ctx, wire.RangeRequest{Table: f.table.Name, After: after, Limit: stride})
		if err != nil {
			return err
		}
		if l.Rows == 0 {
			return f.rest(ctx, after)
		}
		if err := f.compare(ctx, after, l); err != nil {
			return err
		}
		after = l.Last
	}
}

// rest handles what the right side has behind the last row of the left one.
func (f *finder) rest(ctx context.Context, after wire.Key) error {
	r, err := f.right.digest(ctx, wire.RangeRequest{Table: f.table.Name, After: after, Limit: 1})
	if err != nil || r.Rows == 0 {
		return err
	}
	return f.leaf(ctx, after, nil, nil)
}

// compare asks the right side for the range behind after that the left side digested as l, and descends when
// they differ.
func (f *finder) compare(ctx context.Context, after wire.Key, l wire.RangeDigest) error {
	// As many rows as the left side has are enough, and bound the request: when these are the same, the last
	// of them ends the range.
	r, err := f.right.digest(
		ctx,
		wire.RangeRequest{Table: f.table.Name, After: after, Upto: l.Last, Limit: l.Rows},
	)
	if err != nil || r.Rows == l.Rows && r.Digest == l.Digest {
		return err
	}
	return f.descend(ctx, after, l)
}

// descend halves a range that differs until few rows are left.
func (f *finder) descend(ctx context.Context, after wire.Key, l wire.RangeDigest) error {
	if l.Rows <= leafRows {
		rows, err := f.leftRows(ctx, after, l.Last)
		if err != nil {
			return err
		}
		return f.leaf(ctx, after, l.Last, rows)
	}
	upto := l.Last
	for _, limit := range []int64{l.Rows / 2, 0} {
		half, err := f.left.digest(
			ctx,
			wire.RangeRequest{Table: f.table.Name, After: after, Upto: upto, Limit: limit},
		)
		if err != nil {
			return err
		}
		if half.Rows == 0 || half.Rows >= l.Rows {
			return f.left.changed() // it had l.Rows rows a moment ago
		}
		if err := f.compare(ctx, after, half); err != nil {
			return err
		}
		after = half.Last
	}
	return nil
}

func (f *finder) leftRows(ctx context.Context, after, upto wire.Key) ([][]wire.Value, error) {
	var rows [][]wire.Value
	err := f.left.side.Rows(ctx, f.table.Name, after, upto, func(row []wire.Value) error {
		rows = append(rows, wire.Key(row).Clone())
		return f.checkWidth(row)
	})
	return rows, err
}

func (f *finder) checkWidth(row []wire.Value) error {
	if len(row) == len(f.table.Columns) {
		return nil
	}
	return &userdb.Error{Op: "compare rows of", Thing: TableName(f.table.Name), Kind: userdb.ProtocolError,
		Err: fmt.Errorf("a row has %d cells and the table %d columns", len(row), len(f.table.Columns))}
}

// guarded is a side with a write counter that must stand still during the search.
type guarded struct {
	side   Side
	name   string
	writes int64
	seen   bool
}

func (g *guarded) digest(ctx context.Context, req wire.RangeRequest) (wire.RangeDigest, error) {
	d, err := g.side.Range(ctx, req)
	if err != nil {
		return d, err
	}
	if d.Rows > 0 && d.Last == nil {
		return d, &userdb.Error{Op: "digest rows of", Thing: TableName(req.Table), Kind: userdb.ProtocolError,
			Err: errors.New("an answer with rows does not name the key of the last one")}
	}
	if g.seen && d.Writes != g.writes {
		return d, g.changed()
	}
	g.writes, g.seen = d.Writes, true
	return d, nil
}

func (g *guarded) changed() error {
	return &userdb.Error{
		Op:   "compare rows",
		Kind: userdb.Conflict,
		Err:  fmt.Errorf("the %s side was written to during the comparison", g.name),
		Hint: "compare again while nobody writes",
	}
}
