package verify

import (
	"context"
	"crypto/sha256"
	"slices"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// foundRow is a difference, and for missing and extra rows a digest of the cells that are not key.
type foundRow struct {
	RowDifference
	content [32]byte
}

// leaf compares the left rows of a range with the right rows, which stream by.
func (f *finder) leaf(ctx context.Context, after, upto wire.Key, left [][]wire.Value) error {
	waiting := map[string][]wire.Value{}
	for _, row := range left {
		waiting[f.keyBytes(row)] = row
	}
	err := f.right.side.Rows(ctx, f.table.Name, after, upto, func(right []wire.Value) error {
		if err := f.checkWidth(right); err != nil {
			return err
		}
		key := f.keyBytes(right)
		row, ok := waiting[key]
		if !ok {
			return f.add(f.wholeRow(Extra, right))
		}
		delete(waiting, key)
		return f.cells(row, right)
	})
	if err != nil {
		return err
	}
	for _, row := range left { // in key order, which a map does not keep
		if _, ok := waiting[f.keyBytes(row)]; ok {
			if err := f.add(f.wholeRow(Missing, row)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *finder) keyBytes(row []wire.Value) string {
	cells, reals := wire.AppendRow(nil, nil, f.table.key(row))
	return string(append(cells, reals...))
}

func (f *finder) cells(left, right []wire.Value) error {
	for i := range left {
		l, r := left[i], right[i]
		if l.Equal(r) {
			continue
		}
		kind := Value
		if l.Class != r.Class {
			kind = Type
		}
		d := RowDifference{Kind: kind, Table: f.table.Name, Key: f.table.key(left).Clone(), Column: f.table.Columns[i]}
		d.Left, d.Right = shortenPair(l, r)
		if err := f.add(foundRow{RowDifference: d}); err != nil {
			return err
		}
	}
	return nil
}

// wholeRow describes a row that only one side has.
func (f *finder) wholeRow(kind Kind, row []wire.Value) foundRow {
	d := foundRow{RowDifference: RowDifference{Kind: kind, Table: f.table.Name, Key: f.table.key(row).Clone()}}
	shown := rowText(row)
	if kind == Missing {
		d.Left = shown
	} else {
		d.Right = shown
	}
	var rest []wire.Value
	for i, v := range row {
		if !slices.Contains(f.table.Key, i) {
			rest = append(rest, v)
		}
	}
	cells, reals := wire.AppendRow(nil, nil, rest)
	d.content = sha256.Sum256(append(cells, reals...))
	return d
}

// rowCells is how many cells of a whole row are shown.
const rowCells = 6

func rowText(row []wire.Value) string {
	text := keyText(row[:min(len(row), rowCells)])
	if len(row) > rowCells {
		text += ", ..."
	}
	return "(" + text + ")"
}

func (f *finder) add(d foundRow) error {
	f.found = append(f.found, d)
	if len(f.found) >= f.limit {
		return errEnough
	}
	return nil
}

// differences returns what was found. A missing and an extra row of the same content in a rowid table are one row whose rowid changed.
func (f *finder) differences() []RowDifference {
	var out []RowDifference
	paired := map[int]bool{}
	for i, d := range f.found {
		if paired[i] {
			continue
		}
		if j, ok := f.moved(i, paired); ok {
			paired[j] = true
			out = append(out, movedRow(d, f.found[j]))
			continue
		}
		out = append(out, d.RowDifference)
	}
	return out
}

// moved finds the other half of a row whose rowid changed.
func (f *finder) moved(i int, paired map[int]bool) (int, bool) {
	d := f.found[i]
	if !f.table.Rowid || d.Kind != Missing && d.Kind != Extra || len(f.table.Columns) == len(f.table.Key) {
		return 0, false
	}
	for j := i + 1; j < len(f.found); j++ {
		o := f.found[j]
		if !paired[j] && (o.Kind == Missing || o.Kind == Extra) && o.Kind != d.Kind && o.content == d.content {
			return j, true
		}
	}
	return 0, false
}

func movedRow(a, b foundRow) RowDifference {
	missing, extra := a, b
	if a.Kind == Extra {
		missing, extra = b, a
	}
	return RowDifference{Kind: Rowid, Table: a.Table, Key: missing.Key, Left: keyText(missing.Key), Right: keyText(extra.Key)}
}
