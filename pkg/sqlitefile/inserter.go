package sqlitefile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Inserter inserts rows into one table of a Builder.
type Inserter struct {
	builder *Builder
	table   Table
	columns []string // of the rows that come
	insert  []int    // which of their values are inserted; the others are generated
	stmt    *capi.Stmt
	remove  *capi.Stmt // nil until a row that came is deleted
	values  []wire.Value
	convert *rowConverter // nil for a UTF-8 file
	tally   *wire.Tally   // of what came
}

// Insert inserts rows with values in the order of columns; see Into.
func (b *Builder) Insert(table string, columns []string, rows [][]wire.Value) error {
	in, err := b.Into(table, columns)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := in.Add(row); err != nil {
			return err
		}
	}
	return nil
}

// Into prepares inserting into a table. columns names the values of the rows to come, as an export page does.
// The rowid's name comes first where no column shows the rowid, then columns. Generated columns are among
// them, but their values are not inserted. The same table and columns again give the same Inserter.
func (b *Builder) Into(table string, columns []string) (*Inserter, error) {
	if in := b.inserters[table]; in != nil && slices.Equal(in.columns, columns) {
		return in, nil
	}
	in, err := b.newInserter(table, columns)
	if err != nil {
		return nil, &userdb.Error{Op: "insert into table", Thing: table, Kind: userdb.ProtocolError, Err: err}
	}
	if old := b.inserters[table]; old != nil {
		old.close()
		return nil, &userdb.Error{Op: "insert into table", Thing: table, Kind: userdb.ProtocolError,
			Err: errors.New("its columns changed between two pages")}
	}
	b.inserters[table] = in
	return in, nil
}

func (b *Builder) newInserter(table string, columns []string) (*Inserter, error) {
	described, err := b.describe(table)
	if err != nil {
		return nil, err
	}
	in := &Inserter{builder: b, table: described, columns: slices.Clone(columns)}
	var names []string
	for i, column := range columns {
		name, insertable, err := insertName(&described, column)
		if err != nil {
			return nil, err
		}
		if insertable {
			names = append(names, name)
			in.insert = append(in.insert, i)
		}
	}
	if len(names) != len(described.Import) {
		return nil, fmt.Errorf(
			"%d columns to insert, and the table has %d",
			len(names),
			len(described.Import),
		)
	}
	target := "main." + sqltext.Quote(table)
	if table == sequenceTable {
		target = "temp." + b.staged()
	}
	// OR ABORT overrides conflict clauses of the schema, which would drop rows without a word.
	sql := "INSERT OR ABORT INTO " + target + "(" + strings.Join(
		names,
		", ",
	) + ") VALUES(?" + strings.Repeat(
		", ?",
		len(names)-1,
	) + ")"
	if in.stmt, err = b.conn.Prepare(sql); err != nil {
		return nil, err
	}
	in.tally = wire.NewTally(in.keyCells(), described.Kind != WithoutRowidTable)
	if b.anyOrder {
		in.tally.AnyOrder()
	}
	if b.text != capi.UTF8 {
		in.convert = &rowConverter{appendText: appendUTF16, order: orderOf(b.schema.Header.Encoding)}
	}
	return in, nil
}

// keyCells says where the key stands in the rows that come. Their columns may stand in another order than the
// table's.
func (in *Inserter) keyCells() []wire.KeyCell {
	cells := in.table.keyCells()
	for i, k := range in.table.Key {
		cells[i].Cell = slices.Index(in.columns, k.Name)
		if cells[i].Cell < 0 {
			cells[i].Cell = 0 // the rowid under another of its names, which stands first
		}
	}
	return cells
}

// EndPage ends a page of rows. The sender begins the next page behind the key last: a gap in between would
// not show.
func (in *Inserter) EndPage(last wire.Key) error {
	if in.tally.EndsAt(last) {
		return nil
	}
	return &userdb.Error{
		Op:    "insert into table",
		Thing: in.table.Name,
		Kind:  userdb.Mismatch,
		Hint:  hintMisread,
		Err:   fmt.Errorf("a page says that it ends at row %s, and its last row is another", formatKey(last)),
	}
}

// Received is the census of what came for a table.
func (b *Builder) Received(table string) wire.Census {
	if in := b.inserters[table]; in != nil {
		return in.tally.Census()
	}
	return wire.Census{}
}

// describe finds the table in the new file; shadow tables and SQLite's other tables are none to insert into.
func (b *Builder) describe(table string) (Table, error) {
	for _, v := range b.schema.Virtual {
		if v.Name == table && v.Load != wire.LoadRows {
			return Table{}, errors.New("its content is rebuilt, not inserted")
		}
	}
	list, err := listTables(b.conn)
	if err != nil {
		return Table{}, err
	}
	info, found := list[table]
	if !found || info.kind != "table" && info.kind != "virtual" ||
		hasPrefixFold(table, internalPrefix) && table != sequenceTable && table != stat1Table {
		return Table{}, errors.New("the schema has no such table")
	}
	for _, o := range b.schema.Objects {
		if o.Type == "table" && o.Name == table {
			info.module = moduleOf(o.SQL)
		}
	}
	return describeTable(b.conn, table, info)
}

// insertName is how a column is named in an INSERT, and whether it can stand there.
func insertName(t *Table, column string) (name string, insertable bool, err error) {
	for _, c := range t.Columns {
		if c.Name == column {
			return sqltext.Quote(column), c.Generated == NotGenerated, nil
		}
	}
	// The other side may reach the rowid by another of its names.
	isRowid := column == "rowid" || column == "_rowid_" || column == "oid"
	if t.Rowid == "" || !isRowid {
		return "", false, fmt.Errorf("it has no column %.80q", column)
	}
	return t.Rowid, true, nil
}

func (in *Inserter) close() {
	in.stmt.Close()
	if in.remove != nil {
		in.remove.Close()
	}
}

// insertRow leaves the values in in.values.
func (in *Inserter) insertRow(row []wire.Value) error {
	if len(row) != len(in.columns) {
		return &userdb.Error{Op: "insert into table", Thing: in.table.Name, Kind: userdb.ProtocolError,
			Err: fmt.Errorf("a row of %d values for %d columns", len(row), len(in.columns))}
	}
	in.values = in.values[:0]
	for _, i := range in.insert {
		in.values = append(in.values, row[i])
	}
	values := in.values
	if in.convert != nil {
		converted, cell, err := in.convert.convert(values)
		if err != nil {
			return refuse("insert into table", in.table.Name, in.invalidText(row, cell))
		}
		values = converted
		in.protectMarks()
	}
	if err := in.stmt.Bind(values, in.builder.text); err != nil {
		return in.refused(row, err)
	}
	if err := in.stmt.Run(); err != nil {
		return in.refused(row, err)
	}
	return nil
}

// Add inserts one row and keeps nothing of it. Errors: kind Blocked with a *Finding for text that the file's
// UTF-16 cannot hold; kind Refused for a row that SQLite refuses.
func (in *Inserter) Add(row []wire.Value) error {
	if err := in.insertRow(row); err != nil {
		return err
	}
	clear(in.values) // they would keep the whole page that the row came in
	if err := in.tally.Add(row); err != nil {
		return &userdb.Error{
			Op:    "insert into table",
			Thing: in.table.Name,
			Kind:  userdb.Mismatch,
			Err:   err,
			Hint:  hintMisread,
		}
	}
	return nil
}

// protectMarks puts a byte order mark before texts that begin with one, or with its mirror image: SQLite
// takes one off, in any UTF-16 text that is bound.
func (in *Inserter) protectMarks() {
	for i := range in.convert.row {
		v := &in.convert.row[i]
		if v.Class != wire.Text || len(v.Bytes) < 2 {
			continue
		}
		first := in.convert.order.Uint16(v.Bytes)
		if first == 0xfeff || first == 0xfffe {
			v.Bytes = append(in.convert.order.AppendUint16(nil, 0xfeff), v.Bytes...)
		}
	}
}

func (in *Inserter) invalidText(row []wire.Value, insertedCell int) *Finding {
	return &Finding{
		Level:  Blocked,
		Reason: ReasonInvalidText,
		Object: in.table.Name,
		Column: in.columns[in.insert[insertedCell]],
		Key:    in.keyOf(row),
		Count:  1,
		Detail: fmt.Sprintf(
			"text that is not valid UTF-8, and the file is %s, which cannot hold it",
			in.builder.schema.Header.Encoding,
		),
		WayOut: "correct the text in the Durable Object, or store it as a BLOB",
	}
}

func (in *Inserter) refused(row []wire.Value, err error) error {
	return &userdb.Error{
		Op:    "insert into table",
		Thing: fmt.Sprintf("%s, row %s", in.table.Name, in.keyOf(row)),
		Kind:  userdb.Refused,
		Err:   err,
	}
}

// keyOf shows the key of a row that came. Its columns may stand in another order than the table's.
func (in *Inserter) keyOf(row []wire.Value) string {
	var key wire.Key
	for _, k := range in.table.Key {
		for i, column := range in.columns {
			if column == k.Name {
				key = append(key, row[i])
			}
		}
	}
	return formatKey(key)
}
