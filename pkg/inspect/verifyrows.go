package inspect

import (
	"context"
	"slices"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// namedDifferences is how many objects and rows are named for one user. To see more, compare the two
// databases.
const namedDifferences = 20

// namer finds out which objects, rows and cells of a Durable Object differ from a file, given the tables with
// different digests.
type namer struct {
	file  *sqlitefile.File
	store wire.DatabaseDigest // the tables that it has
	side  func(*sqlitefile.Table) verify.Side
	lines []string
}

func digestLines(diffs []verify.Difference) []string {
	lines := make([]string, len(diffs))
	for i, d := range diffs {
		lines[i] = d.String()
	}
	return lines
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

// tables names the rows of the tables with different digests, but not of those with a changed schema.
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

// rows names what differs in one table. It looks for one difference more than it may name, to know whether
// there are more.
func (n *namer) rows(ctx context.Context, t *sqlitefile.Table) error {
	room := namedDifferences + 1 - len(n.lines)
	if room <= 0 {
		return nil
	}
	found, err := verify.Rows(ctx, verify.TableOf(t), verify.FileSide(n.file, t), n.side(t), room)
	for _, d := range found {
		n.lines = append(n.lines, d.String())
	}
	return err
}
