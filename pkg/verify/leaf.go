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
		d := RowDifference{
			Kind:   kind,
			Table:  f.table.Name,
			Key:    f.table.key(left).Clone(),
			Column: f.table.Columns[i],
		}
		d.Left, d.Right = shortenPair(l, r)
		if err := f.add(foundRow{RowDifference: d}); err != nil {
			return err
		}
	}
	return nil
}

// wholeRow describes a row that only one side has.
func (f *finder) wholeRow(kind Kind, row []wire.Value) foundRow {
	d := foundRow{
		RowDifference: RowDifference{Kind: kind, Table: f.table.Name, Key: f.table.key(row).Clone()},
	}
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

// differences returns what was found. A missing and an extra row of the same content in a rowid table are one
// row with a changed rowid.
func (f *finder) differences() []RowDifference {
	moved := f.moved()
	var out []RowDifference
	for i, d := range f.found {
		j, ok := moved[i]
		switch {
		case !ok:
			out = append(out, d.RowDifference)
		case i < j:
			out = append(out, movedRow(d, f.found[j]))
		}
	}
	return out
}

// moved pairs the two halves of rows with a changed rowid, in both directions.
func (f *finder) moved() map[int]int {
	pairs := map[int]int{}
	if !f.table.Rowid || len(f.table.Columns) == len(f.table.Key) {
		return pairs // without other cells, any row would be the moved form of any other
	}
	type half struct {
		kind    Kind
		content [32]byte
	}
	other := map[Kind]Kind{Missing: Extra, Extra: Missing}
	waiting := map[half][]int{}
	for i, d := range f.found {
		if other[d.Kind] == "" {
			continue
		}
		match := half{other[d.Kind], d.content}
		if queue := waiting[match]; len(queue) > 0 {
			pairs[i], pairs[queue[0]] = queue[0], i
			waiting[match] = queue[1:]
			continue
		}
		own := half{d.Kind, d.content}
		waiting[own] = append(waiting[own], i)
	}
	return pairs
}

func movedRow(a, b foundRow) RowDifference {
	missing, extra := a, b
	if a.Kind == Extra {
		missing, extra = b, a
	}
	return RowDifference{
		Kind:  Rowid,
		Table: a.Table,
		Key:   missing.Key,
		Left:  keyText(missing.Key),
		Right: keyText(extra.Key),
	}
}
