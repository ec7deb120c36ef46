package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// ErrStop ends the reading without an error, where the yield of Rows returns it.
var ErrStop = errors.New("stop")

// Range bounds what RowsIn reads: rows with After < key <= Upto in key order, at most Limit of them. Nil and
// 0 mean no bound.
type Range struct {
	After, Upto wire.Key
	Limit       int64
}

// readLengthLimit bounds a single value while rows are read, so that a huge one costs no memory. It lies
// above what a Durable Object takes, for a check of the row to name it, and leaves room for text that UTF-16
// doubles.
const readLengthLimit = 5_000_000

// Rows reads the rows of t behind the given key (nil: all) in key order and hands each to yield, its values
// in the order of t.Cells. Row and bytes are valid only during the call. yield must not call methods of f;
// what it returns ends the reading, ErrStop without error.
func (f *File) Rows(ctx context.Context, t *Table, after wire.Key, yield func(row []wire.Value) error) error {
	return f.RowsIn(ctx, t, Range{After: after}, yield)
}

// RowsIn is Rows over a range.
func (f *File) RowsIn(ctx context.Context, t *Table, r Range, yield func(row []wire.Value) error) error {
	if t.Hidden {
		return refuse("read table", t.Name, HiddenRowid(t))
	}
	conn, err := f.rowConn(ctx)
	if err != nil {
		return fail("read table", t.Name, err)
	}
	defer conn.Watch(ctx)()
	read := func(yield func(row []wire.Value) error) error {
		scan := scan{conn: conn, table: t, r: r, yield: yield, row: make([]wire.Value, len(t.Cells))}
		return scan.run()
	}
	if capi.DamageRows != nil && r.After == nil && r.Upto == nil && r.Limit == 0 {
		read = capi.DamageRows(t.Name, read)
	}
	if err := read(yield); err != nil && !errors.Is(err, ErrStop) {
		return readError(conn, t, err)
	}
	return nil
}

func readError(conn *capi.Conn, t *Table, err error) error {
	switch lack := storeLacks(t.Name, err); {
	case capi.IsTooBig(err):
		return refuse("read table", t.Name, findTooLarge(conn, t))
	case lack != nil && capi.PrimaryCode(err) != 0:
		return refuse("read table", t.Name, lack)
	case capi.PrimaryCode(err) == sqlite3.SQLITE_ERROR:
		return refuse(
			"read table",
			t.Name,
			&Finding{
				Level:  Blocked,
				Reason: ReasonDamaged,
				Object: t.Name,
				Detail: capi.Message(err),
				WayOut: WayOutDamaged,
			},
		)
	}
	return fail("read table", t.Name, err)
}

// findTooLarge names the first value that was too large to be read. octet_length does not load it.
func findTooLarge(conn *capi.Conn, t *Table) *Finding {
	finding := &Finding{
		Level:  Blocked,
		Reason: ReasonRowTooLarge,
		Object: t.Name,
		Count:  1,
		WayOut: wayOutTooLarge,
		Detail: fmt.Sprintf("a value of more than %d bytes", readLengthLimit),
	}
	for i, column := range t.cellColumns {
		if column < 0 || t.Kind == VirtualTable {
			continue
		}
		name := sqltext.Quote(t.Cells[i])
		sql := fmt.Sprintf(
			"SELECT %[1]s, octet_length(%[2]s) FROM %[3]s NOT INDEXED WHERE octet_length(%[2]s) > %[4]d LIMIT 1",
			t.keyList(),
			name,
			sqltext.Quote(t.Name),
			readLengthLimit,
		)
		found := errors.New("found")
		err := conn.Query(sql, nil, func(s *capi.Stmt) error {
			key := make(wire.Key, len(t.Key))
			s.Row(key)
			finding.Column, finding.Key = t.Cells[i], formatKey(key)
			finding.Detail = fmt.Sprintf("a value of %d bytes", s.Int(len(t.Key)))
			return found
		})
		if errors.Is(err, found) {
			break
		}
	}
	return finding
}

// scan reads one range of one table.
type scan struct {
	conn  *capi.Conn
	table *Table
	r     Range
	yield func(row []wire.Value) error
	row   []wire.Value
	read  int64
}

// run reads the range as a sequence of index ranges: behind key (a, b) come first the rows with a = A and b >
// B, then those with a > A. One condition joined by OR would read the table from its beginning.
func (s *scan) run() error {
	if s.r.After == nil {
		return s.query("", nil)
	}
	if len(s.r.After) != len(s.table.Key) {
		return fmt.Errorf(
			"a key of %d values, and table %s has %d",
			len(s.r.After),
			s.table.Name,
			len(s.table.Key),
		)
	}
	for equal := len(s.table.Key) - 1; equal >= 0; equal-- {
		if err := s.query(s.where(equal), s.r.After[:equal+1]); err != nil {
			return err
		}
	}
	return nil
}

// where selects rows: the first key columns equal parameters, and the next one lies behind its parameter.
func (s *scan) where(equal int) string {
	var terms []string
	for i := range equal {
		terms = append(terms, s.table.keyTerm(i, "=", i+1))
	}
	terms = append(terms, s.table.keyTerm(equal, s.table.Key[equal].beyond(), equal+1))
	return " WHERE " + strings.Join(terms, " AND ")
}

// query reads rows until its end, the range's end, or the limit; the latter two as ErrStop.
func (s *scan) query(where string, params []wire.Value) error {
	bound := ""
	if s.r.Upto != nil {
		bound = ", " + s.table.beyondKey(len(params)+1)
		params = append(append([]wire.Value(nil), params...), s.r.Upto...)
	}
	return s.conn.Query(s.sql(where, bound), params, func(stmt *capi.Stmt) error {
		if s.r.Upto != nil && stmt.Int(len(s.row)) != 0 || s.r.Limit > 0 && s.read == s.r.Limit {
			return ErrStop
		}
		stmt.Row(s.row)
		s.read++
		return s.yield(s.row)
	})
}

// sql reads in key order. NOT INDEXED keeps SQLite from reading a smaller index and sorting.
func (s *scan) sql(where, bound string) string {
	return "SELECT " + s.table.cellList() + bound + " FROM " + sqltext.Quote(
		s.table.Name,
	) + " NOT INDEXED" + where + " ORDER BY " + s.table.keyOrder()
}

func (t *Table) cellList() string {
	quoted := make([]string, len(t.Cells))
	for i, cell := range t.Cells {
		quoted[i] = t.quoteCell(cell)
	}
	return strings.Join(quoted, ", ")
}

// quoteCell quotes a column's name; the rowid's own name must stand unquoted.
func (t *Table) quoteCell(cell string) string {
	if t.IsRowid(cell) {
		return cell
	}
	return sqltext.Quote(cell)
}

func (t *Table) keyList() string {
	names := make([]string, len(t.Key))
	for i, k := range t.Key {
		names[i] = t.quoteCell(k.Name)
	}
	return strings.Join(names, ", ")
}

func (t *Table) keyOrder() string {
	terms := make([]string, len(t.Key))
	for i, k := range t.Key {
		terms[i] = t.collated(i)
		if k.Desc {
			terms[i] += " DESC"
		}
	}
	return strings.Join(terms, ", ")
}

func (t *Table) collated(key int) string {
	k := t.Key[key]
	if t.Kind != WithoutRowidTable {
		return t.quoteCell(k.Name)
	}
	return sqltext.Quote(k.Name) + " COLLATE " + sqltext.Quote(k.Collation)
}

// keyTerm compares a key column with parameter number n.
func (t *Table) keyTerm(key int, operator string, n int) string {
	return fmt.Sprintf("%s %s ?%d", t.collated(key), operator, n)
}

// beyond is the operator for "comes later in key order".
func (k KeyColumn) beyond() string {
	if k.Desc {
		return "<"
	}
	return ">"
}

// beyondKey is true for rows behind the key in parameters first, first+1 and so on.
func (t *Table) beyondKey(first int) string {
	var alternatives []string
	for i, k := range t.Key {
		var terms []string
		for j := range i {
			terms = append(terms, t.keyTerm(j, "=", first+j))
		}
		terms = append(terms, t.keyTerm(i, k.beyond(), first+i))
		alternatives = append(alternatives, "("+strings.Join(terms, " AND ")+")")
	}
	return strings.Join(alternatives, " OR ")
}

// rowConn is the connection that reads rows as UTF-8: the file's own, or one to a copy that is made now.
func (f *File) rowConn(ctx context.Context) (*capi.Conn, error) {
	if f.utf8 != nil {
		return f.utf8, nil
	}
	if f.head.encoding() == UTF8 {
		f.utf8 = f.conn
	} else if err := f.transcode(ctx); err != nil {
		return nil, err
	}
	f.utf8.Limit(sqlite3.SQLITE_LIMIT_LENGTH, readLengthLimit)
	return f.utf8, nil
}

// HiddenRowid is the finding for a table with rows that nothing can name.
func HiddenRowid(t *Table) *Finding {
	return &Finding{
		Level:  Blocked,
		Reason: ReasonHiddenRowid,
		Object: t.Name,
		Detail: "columns named rowid, oid and _rowid_ hide the table's rowid",
		WayOut: "rename one of these columns, or declare one of them INTEGER PRIMARY KEY",
	}
}
