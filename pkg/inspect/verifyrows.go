package inspect

import (
	"context"
	"fmt"
	"slices"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// namedDifferences is how many objects and rows verify names for one user. Whoever needs more has two databases to compare.
const namedDifferences = 20

// namer finds out which objects, rows and cells of a Durable Object differ from the kept file, given the tables whose digests differ.
type namer struct {
	user  userdb.UserID
	file  *sqlitefile.File
	store wire.DatabaseDigest // the tables that it has
	side  func(*sqlitefile.Table) verify.Side
	lines []string
}

// nameDifferences returns a line for each table that differs, and then for each object, row and cell, the kept file against the Durable
// Object. The file is what was imported: that has been proved before. The lines say so where not everything could be named.
func (v *check) nameDifferences(ctx context.Context, kept *userfile.Copy, store wire.DatabaseDigest, digests []verify.Difference) []string {
	lines := digestLines(digests)
	if kept == nil {
		return append(lines, "only tables can be named: the kept file was freed by gc")
	}
	named, err := v.compareRows(ctx, kept, store, digests)
	if len(named) > namedDifferences {
		named = append(named[:namedDifferences], fmt.Sprintf("and more: only the first %d are named", namedDifferences))
	}
	if err != nil {
		named = append(named, fmt.Sprintf("not everything could be named: %v", err))
	}
	// The names say more than the digests: they come first.
	return append(named, lines...)
}

func digestLines(diffs []verify.Difference) []string {
	lines := make([]string, len(diffs))
	for i, d := range diffs {
		lines[i] = d.String()
	}
	return lines
}

// compareRows returns what it found before an error, too.
func (v *check) compareRows(ctx context.Context, kept *userfile.Copy, store wire.DatabaseDigest, digests []verify.Difference) ([]string, error) {
	file, err := sqlitefile.Open(ctx, kept.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	exported, err := v.Stores.ExportSchema(ctx, v.user)
	if err != nil {
		return nil, err
	}
	n := &namer{user: v.user, file: file, store: store}
	n.side = func(*sqlitefile.Table) verify.Side { return verify.StoreSide(v.Stores, v.user) }
	err = n.run(ctx, exported.Schema, digests)
	return n.lines, err
}

// NameCopied names what differs between the file that was copied and the Durable Object that imports it, which says nothing of its schema yet.
func NameCopied(ctx context.Context, stores Stores, u userdb.UserID, path string, store wire.DatabaseDigest, digests []verify.Difference) []string {
	lines := digestLines(digests)
	file, err := sqlitefile.Open(ctx, path)
	if err != nil {
		return lines
	}
	defer file.Close()
	n := &namer{user: u, file: file, store: store}
	n.side = func(t *sqlitefile.Table) verify.Side { return verify.ImportingSide(stores, u, len(t.Cells)) }
	if err := n.tables(ctx, nil, digests); err != nil {
		lines = append(lines, fmt.Sprintf("not everything could be named: %v", err))
	}
	return append(n.lines, lines...)
}

func (n *namer) run(ctx context.Context, store wire.Schema, digests []verify.Difference) error {
	schema, err := n.file.Schema()
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	for _, d := range verify.Schemas(schema, store) {
		changed[d.Object] = true
		n.lines = append(n.lines, d.String())
	}
	return n.tables(ctx, changed, digests)
}

// tables names the rows of the tables whose digests differ, but not of those whose schema changed.
func (n *namer) tables(ctx context.Context, changed map[string]bool, digests []verify.Difference) error {
	differ := map[string]bool{}
	for _, d := range digests {
		differ[d.Object] = true
	}
	tables := n.file.Tables()
	for i := range tables {
		object := verify.TableName(tables[i].Name)
		if differ[object] && !changed[object] && n.inStore(tables[i].Name) {
			if err := n.rows(ctx, &tables[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// inStore says whether the Durable Object has the table, so that rows can be asked for.
func (n *namer) inStore(table string) bool {
	return slices.ContainsFunc(n.store.Tables, func(t wire.TableDigest) bool { return t.Name == table })
}

// rows names what differs in one table. It looks for one difference more than it may name, to know whether there are more.
func (n *namer) rows(ctx context.Context, t *sqlitefile.Table) error {
	room := namedDifferences + 1 - len(n.lines)
	if room <= 0 {
		return nil
	}
	found, err := verify.Rows(ctx, rowShape(t), fileSide{n.file, t}, n.side(t), room)
	for _, d := range found {
		n.lines = append(n.lines, d.String())
	}
	return err
}

func rowShape(t *sqlitefile.Table) verify.Table {
	shape := verify.Table{Name: t.Name, Columns: t.Cells, Rowid: t.Kind != sqlitefile.WithoutRowidTable}
	for _, key := range t.Key {
		shape.Key = append(shape.Key, key.Cell)
	}
	return shape
}

// fileSide is one table of a file as a side of the comparison. Unlike verify.ScanSide it seeks by key.
type fileSide struct {
	file  *sqlitefile.File
	table *sqlitefile.Table
}

func (s fileSide) Range(ctx context.Context, req wire.RangeRequest) (wire.RangeDigest, error) {
	return s.file.RangeDigest(ctx, s.table, sqlitefile.Range{After: req.After, Upto: req.Upto, Limit: req.Limit})
}

func (s fileSide) Rows(ctx context.Context, _ string, after, upto wire.Key, yield func(row []wire.Value) error) error {
	return s.file.RowsIn(ctx, s.table, sqlitefile.Range{After: after, Upto: upto}, yield)
}
