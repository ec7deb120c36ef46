package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Functions compute other values in other versions of SQLite: round, date, a REAL as text. What an
// application's SQLite computed and stored is then not what a Durable Object's would compute.

// computedElsewhere judges what the integrity check says of indexes over expressions. An index that has an
// entry for each row, under other values, is no damage: a Durable Object builds it from the rows.
func (f *File) computedElsewhere(conn *capi.Conn, list []Finding) []Finding {
	for i := range list {
		finding := &list[i]
		if finding.Reason != ReasonDamaged || finding.WayOut != wayOutIndex ||
			!f.isWholeComputed(conn, finding.Object) {
			continue
		}
		finding.Level, finding.Reason = Warning, ReasonIndexComputed
		finding.Detail = "another version of SQLite computed the values of this index: " + finding.Detail
		finding.WayOut = "nothing need be done before: a Durable Object builds the index from the rows, and what is looked up by it may change; after a rollback, REINDEX with the application's own SQLite"
	}
	return list
}

// isWholeComputed says whether the index is over computed values and has as many entries as its table has
// rows. A partial index need not, and a unique one may be impossible with other values: these stay damaged.
func (f *File) isWholeComputed(conn *capi.Conn, index string) bool {
	i := slices.IndexFunc(f.objects, func(o SchemaObject) bool { return o.Type == "index" && o.Name == index })
	if i < 0 {
		return false
	}
	table := f.objects[i].Table
	plain, computed := false, false
	ask := func(sql string, params []wire.Value, each func(s *capi.Stmt)) error {
		return conn.Query(sql, params, func(s *capi.Stmt) error { each(s); return nil })
	}
	listed := ask(
		"SELECT [unique] = 0 AND partial = 0 FROM pragma_index_list(?1, 'main') WHERE name = ?2",
		textParams(table, index),
		func(s *capi.Stmt) { plain = s.Int(0) != 0 },
	)
	columns := ask(
		"SELECT 1 FROM pragma_index_xinfo(?1, 'main') AS i WHERE i.key AND (i.cid = -2 OR i.name IN (SELECT c.name FROM pragma_table_xinfo(?2, 'main') AS c WHERE c.hidden IN (2, 3)))",
		textParams(index, table),
		func(*capi.Stmt) { computed = true },
	)
	if listed != nil || columns != nil || !plain || !computed {
		return false
	}
	counts := make([]int64, 2)
	for n, how := range []string{"NOT INDEXED", "INDEXED BY " + sqltext.Quote(index)} {
		// sum(1) walks the tree that is named; count(*) would choose one.
		if err := ask("SELECT sum(1) FROM main."+sqltext.Quote(table)+" "+how, nil, func(s *capi.Stmt) { counts[n] = s.Int(0) }); err != nil {
			return false
		}
	}
	return counts[0] == counts[1]
}

// StoredChecker computes the STORED columns of a table's rows again, with a Durable Object's functions.
type StoredChecker struct {
	table               *Table
	scratch             *scratch
	insert, read, clear *capi.Stmt
	cells               []int // where the stored columns stand in a row
	values, now         []wire.Value
	found               map[int]*Finding
}

// NewStoredChecker returns nil, which finds nothing, for a table that stores no computed column, or one that
// cannot be made: the schema's finding says so. The caller calls what it returns when all rows were checked.
func (f *File) NewStoredChecker(ctx context.Context, t *Table) (*StoredChecker, func(), error) {
	nothing := func() {}
	c := &StoredChecker{table: t, found: map[int]*Finding{}}
	var names []string
	for cell, column := range t.cellColumns {
		if column >= 0 && t.Columns[column].Generated == GeneratedStored {
			c.cells, names = append(c.cells, cell), append(names, sqltext.Quote(t.Cells[cell]))
		}
	}
	made := slices.IndexFunc(f.objects, func(o SchemaObject) bool { return o.Type == "table" && o.Name == t.Name })
	if len(c.cells) == 0 || made < 0 || !isCreateOf(f.objects[made].Object) {
		return nil, nothing, nil
	}
	var err error
	if c.scratch, err = newScratch(); err != nil {
		return nil, nothing, err
	}
	stop := c.scratch.conn.Watch(ctx)
	end := func() { stop(); c.scratch.close() }
	c.scratch.conn.Limit(sqlite3.SQLITE_LIMIT_LENGTH, readLengthLimit)
	c.scratch.conn.Limit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, int32(len(t.Import)+1))
	if err := c.prepare(f.objects[made].SQL, names); err != nil {
		if endsCheck(err) {
			return nil, end, err
		}
		return nil, end, nil
	}
	c.values, c.now = make([]wire.Value, len(t.Import)), make([]wire.Value, len(c.cells))
	return c, end, nil
}

// RefuseStored refuses a STORED column in a UTF-16 file. What hex(), CAST AS BLOB and their like compute
// depends on the encoding, a Durable Object has UTF-8, and no look at today's rows says what later ones
// will hold.
func RefuseStored(t *Table, encoding string) *Finding {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Generated == GeneratedStored })
	if encoding == UTF8 || i < 0 {
		return nil
	}
	return &Finding{
		Level:  Fixable,
		Reason: ReasonStoredEncoding,
		Object: t.Name,
		Column: t.Columns[i].Name,
		Detail: "a STORED column in a file of " + encoding + ": a Durable Object has UTF-8, and may compute another value",
		WayOut: "bring the database into UTF-8 (.dump of sqlite3 into a new file), or make the column VIRTUAL",
	}
}

// computedIn is the finding for rows of a UTF-16 file that its table does not take as they are in UTF-8; nil
// for a table that computes nothing.
func computedIn(t *Table, detail string) *Finding {
	i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Generated != NotGenerated })
	if i < 0 {
		return nil
	}
	return &Finding{
		Level:  Blocked,
		Reason: ReasonComputedEncoding,
		Object: t.Name,
		Column: t.Columns[i].Name,
		Detail: "a Durable Object has UTF-8, in which a constraint over a computed column refuses rows: " + detail,
		WayOut: "take hex(), CAST AS BLOB and their like out of computed columns that are UNIQUE or NOT NULL",
	}
}

func (c *StoredChecker) prepare(create string, stored []string) error {
	if err := c.scratch.conn.Exec(create); err != nil {
		return err
	}
	names := make([]string, len(c.table.Import))
	for i, name := range c.table.Import {
		names[i] = sqltext.Quote(name)
	}
	table := "main." + sqltext.Quote(c.table.Name)
	var errs [3]error
	c.insert, errs[0] = c.scratch.conn.Prepare(
		"INSERT OR ABORT INTO " + table + "(" + strings.Join(
			names,
			", ",
		) + ") VALUES(?" + strings.Repeat(
			", ?",
			len(names)-1,
		) + ")",
	)
	c.read, errs[1] = c.scratch.conn.Prepare("SELECT " + strings.Join(stored, ", ") + " FROM " + table)
	c.clear, errs[2] = c.scratch.conn.Prepare("DELETE FROM " + table)
	return errors.Join(errs[:]...)
}

// Check computes one row. A row that the table refuses is another finding's.
func (c *StoredChecker) Check(row []wire.Value) error {
	if c == nil {
		return nil
	}
	for i, cell := range c.table.ImportCells {
		c.values[i] = row[cell]
	}
	err := c.insert.Bind(c.values, capi.UTF8)
	if err == nil {
		err = c.insert.Run()
	}
	if err == nil {
		_, err = c.read.Step()
	}
	if err != nil {
		if endsCheck(err) {
			return err
		}
		return nil
	}
	c.read.Row(c.now)
	for i, cell := range c.cells {
		if !c.now[i].Equal(row[cell]) {
			c.note(cell, row, c.now[i])
		}
	}
	if _, err := c.read.Step(); err != nil {
		return err
	}
	return c.clear.Run()
}

func (c *StoredChecker) note(cell int, row []wire.Value, now wire.Value) {
	if f := c.found[cell]; f != nil {
		f.Count++
		return
	}
	way := "rewrite each row with SQLite " + sqlite3.SQLITE_VERSION + " or later, which computes the column"
	if len(c.table.Import) > 0 {
		column := sqltext.Quote(c.table.Import[len(c.table.Import)-1])
		way = fmt.Sprintf(
			"UPDATE %s SET %s = %s with SQLite %s or later computes the column again",
			sqltext.Quote(c.table.Name),
			column,
			column,
			sqlite3.SQLITE_VERSION,
		)
	}
	c.found[cell] = &Finding{
		Level:  Fixable,
		Reason: ReasonStoredComputed,
		Object: c.table.Name,
		Column: c.table.Cells[cell],
		Key:    formatKey(c.table.KeyOf(row)),
		Count:  1,
		WayOut: way,
		Detail: fmt.Sprintf(
			"the file stores %s %s, and a Durable Object computes %s %s",
			className(row[cell].Class),
			formatValue(&row[cell]),
			className(now.Class),
			formatValue(&now),
		),
	}
}

// Findings are those of the rows so far.
func (c *StoredChecker) Findings() []Finding {
	if c == nil {
		return nil
	}
	var list []Finding
	for _, cell := range c.cells {
		if f := c.found[cell]; f != nil {
			list = append(list, *f)
		}
	}
	return list
}
