package split

import (
	"context"
	"fmt"
	"slices"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// internalPrefix begins the names of SQLite's own tables.
const internalPrefix = "sqlite_"

// shape is what a database file says about itself without its rows.
type shape struct {
	schema   wire.Schema
	mark     versions
	tables   []*table           // ordinary ones
	virtual  []sqlitefile.Table // virtual ones with rows of their own
	sequence bool               // there is a sqlite_sequence
}

// versions are header bytes 18 and 19 without any fence.
type versions [2]byte

// table is an ordinary table.
type table struct {
	sqlitefile.Table
	sql     string
	rule    TableRule
	primary []string // the columns of its primary key, if it has one
	copied  bool     // a reference table: its rows are hot, and the cold part has a copy of them
}

// readShape reads the file at path. A database that sqlitefile cannot read exactly is refused as it says.
func readShape(ctx context.Context, path string) (*shape, error) {
	f, err := sqlitefile.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	schema, err := f.Schema()
	if err != nil {
		return nil, err
	}
	mark := f.Mark()
	s := &shape{
		schema:   schema,
		mark:     versions{mark.Orig18, mark.Orig19},
		sequence: slices.Contains(f.Header().Internal, sequenceTable),
	}
	for _, t := range f.Tables() {
		switch {
		case t.Hidden:
			return nil, blocked(
				t.Name,
				"rename one of these columns",
				"columns named rowid, oid and _rowid_ hide the table's rowid",
			)
		case t.Kind == sqlitefile.VirtualTable:
			s.virtual = append(s.virtual, t)
		case !strings.HasPrefix(sqltext.Fold(t.Name), internalPrefix):
			s.tables = append(s.tables, &table{Table: t, sql: s.textOf(t.Name)})
		}
	}
	return s, nil
}

// textOf is the CREATE text of a table.
func (s *shape) textOf(name string) string {
	for _, o := range s.schema.Objects {
		if o.Type == "table" && o.Name == name {
			return o.SQL
		}
	}
	return ""
}

// table finds an ordinary table by a name in any case.
func (s *shape) table(name string) *table {
	for _, t := range s.tables {
		if sqltext.Fold(t.Name) == sqltext.Fold(name) {
			return t
		}
	}
	return nil
}

// has says whether any object has the name, in any case.
func (s *shape) has(name string) bool {
	return slices.ContainsFunc(
		s.schema.Objects,
		func(o wire.Object) bool { return sqltext.Fold(o.Name) == sqltext.Fold(name) },
	)
}

// freeName is a name that no object has.
func (s *shape) freeName(name string) string {
	for s.has(name) {
		name += "_"
	}
	return name
}

// externalIndexes are the FTS5 tables with their text in another table or view; content names it.
func (s *shape) externalIndexes() (names, content []string) {
	for _, v := range s.schema.Virtual {
		if v.Load == wire.LoadRebuild {
			names = append(names, v.Name)
			content = append(content, contentOption(s.textOf(v.Name)))
		}
	}
	return names, content
}

// contentOption is the value of content=... in the text of an FTS5 table.
func contentOption(sql string) string {
	tokens := sqltext.All(sql)
	for i := 0; i+2 < len(tokens); i++ {
		if tokens[i].IsWord("content") && tokens[i+1] == "=" {
			return tokens[i+2].Unquote()
		}
	}
	return ""
}

// tablesUnder are the ordinary tables that a table or view reads.
func (s *shape) tablesUnder(conn *capi.Conn, name string) ([]*table, error) {
	var under []*table
	err := conn.Authorize(func(a capi.Action) bool {
		if t := s.table(a.First); a.Code == sqlite3.SQLITE_READ && t != nil && !slices.Contains(under, t) {
			under = append(under, t)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	stmt, err := conn.Prepare("SELECT * FROM main." + sqltext.Quote(name))
	if err == nil {
		stmt.Close()
	}
	if endErr := conn.Authorize(nil); endErr != nil {
		return nil, endErr
	}
	return under, err
}

// keyOf lists the key of the table as expressions over an alias.
func (t *table) keyOf(alias string) []string {
	var key []string
	for _, k := range t.Key {
		name := sqltext.Quote(k.Name)
		if t.IsRowid(k.Name) {
			name = t.Rowid
		}
		key = append(key, alias+"."+name)
	}
	return key
}

// quotedKey lists the key as SQL literals for people, long ones cut: the primary key, or the rowid where
// there is none.
func (t *table) quotedKey(alias string) string {
	key := t.keyOf(alias)
	if len(t.primary) > 0 {
		key = nil
		for _, name := range t.primary {
			key = append(key, alias+"."+sqltext.Quote(name))
		}
	}
	for i, k := range key {
		key[i] = shownLiteral(k)
	}
	return strings.Join(key, " || ', ' || ")
}

// shownLiteral is an expression's value as an SQL literal, cut when it is long.
func shownLiteral(expression string) string {
	return fmt.Sprintf(
		"CASE WHEN length(quote(%[1]s)) > %[2]d THEN substr(quote(%[1]s), 1, %[2]d) || '...' ELSE quote(%[1]s) END",
		expression,
		shownKeyLength,
	)
}

// How much of the rows concerned an error shows.
const (
	shownKeyLength = 60
	shownRows      = 5
)

// numbered says whether SQLite gives new rows of the table the number behind the highest, whatever was
// archived.
func (t *table) numbered() bool {
	return t.Kind == sqlitefile.RowidTable && t.Rowid == "" &&
		!slices.ContainsFunc(
			sqltext.All(t.sql),
			func(token sqltext.Token) bool { return token.IsWord("autoincrement") },
		)
}

// column finds a column by a name in any case.
func (t *table) column(name string) (string, bool) {
	for _, c := range t.Columns {
		if sqltext.Fold(c.Name) == sqltext.Fold(name) {
			return c.Name, true
		}
	}
	return "", false
}

// readPrimaryKeys finds out the columns of the tables' primary keys, in their order.
func (s *shape) readPrimaryKeys(conn *capi.Conn) error {
	for _, t := range s.tables {
		t.primary = nil
		err := conn.Query(
			"SELECT name FROM temp.pragma_table_xinfo(?, 'main') WHERE pk > 0 ORDER BY pk",
			[]wire.Value{text(t.Name)},
			func(s *capi.Stmt) error {
				t.primary = append(t.primary, s.Text(0))
				return nil
			},
		)
		if err != nil {
			return fmt.Errorf("read primary key of %s: %w", t.Name, err)
		}
	}
	return nil
}
