package verify

import (
	"context"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TableOf says how the rows of a file's table are read.
func TableOf(t *sqlitefile.Table) Table {
	shape := Table{Name: t.Name, Columns: t.Cells, Rowid: t.Kind != sqlitefile.WithoutRowidTable}
	for _, key := range t.Key {
		shape.Key = append(shape.Key, key.Cell)
	}
	return shape
}

// FileSide is one table of a file. It seeks by key.
func FileSide(file *sqlitefile.File, table *sqlitefile.Table) Side { return fileSide{file, table} }

type fileSide struct {
	file  *sqlitefile.File
	table *sqlitefile.Table
}

func (s fileSide) Range(ctx context.Context, req wire.RangeRequest) (wire.RangeDigest, error) {
	return s.file.RangeDigest(
		ctx,
		s.table,
		sqlitefile.Range{After: req.After, Upto: req.Upto, Limit: req.Limit},
	)
}

func (s fileSide) Rows(
	ctx context.Context,
	_ string,
	after, upto wire.Key,
	yield func(row []wire.Value) error,
) error {
	return s.file.RowsIn(ctx, s.table, sqlitefile.Range{After: after, Upto: upto}, yield)
}
