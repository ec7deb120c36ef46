package split

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// namedRows is how many rows of a table are named.
const namedRows = 5

// differences names what the union has instead of the source: tables, and rows and cells with the values of
// both, left against right. Empty: nothing differs.
func differences(ctx context.Context, f parts, want, got wire.DatabaseDigest) []string {
	var lines []string
	found := verify.Databases(want, got)
	for _, d := range found {
		lines = append(lines, d.String())
	}
	if len(found) == 0 {
		if census := want.CensusDifference(got); census != "" {
			return []string{census}
		}
		return nil
	}
	rows, err := differentRows(ctx, f.source, f.union, want, got)
	if err != nil {
		rows = append(rows, fmt.Sprintf("not everything could be named: %v", err))
	}
	return append(rows, lines...)
}

func differentRows(
	ctx context.Context,
	source, union string,
	want, got wire.DatabaseDigest,
) (lines []string, err error) {
	left, err := sqlitefile.Open(ctx, source)
	if err != nil {
		return nil, err
	}
	defer left.Close()
	right, err := sqlitefile.Open(ctx, union)
	if err != nil {
		return nil, err
	}
	defer right.Close()
	for i, table := range want.Tables {
		l, inLeft := left.Table(table.Name)
		r, inRight := right.Table(table.Name)
		if !inLeft || !inRight || i < len(got.Tables) && got.Tables[i].Same(table) {
			continue
		}
		rows, err := verify.Rows(
			ctx,
			verify.TableOf(l),
			verify.FileSide(left, l),
			verify.FileSide(right, r),
			namedRows,
		)
		for _, d := range rows {
			lines = append(lines, d.String())
		}
		if err != nil {
			return lines, err
		}
	}
	return lines, nil
}
