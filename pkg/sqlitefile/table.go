package sqlitefile

import (
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TableKind says how a table's rows are addressed.
type TableKind uint8

// The kinds of tables.
const (
	RowidTable        TableKind = iota // an ordinary table: by rowid
	WithoutRowidTable                  // by its primary key
	VirtualTable                       // FTS5 with its own content, rtree: by rowid
)

// Generated says whether a column is computed.
type Generated uint8

// The kinds of columns. Virtual ones hold nothing; stored ones hold a value that cannot be inserted.
const (
	NotGenerated Generated = iota
	GeneratedVirtual
	GeneratedStored
)

// Column is one column of a table that is not hidden.
type Column struct {
	Name      string
	Affinity  Affinity
	Declared  string // the declared type
	NotNull   bool
	Generated Generated
}

// KeyColumn is one column of the key by which the rows are ordered.
type KeyColumn struct {
	Name      string // of the column, or the rowid's name
	Collation string
	Desc      bool
	Cell      int // where it stands in a row
}

// Table describes a table that holds rows of its own, as docs/wire-format.md, section 6, has it.
type Table struct {
	Name    string
	Kind    TableKind
	Strict  bool
	Columns []Column
	Key     []KeyColumn

	// Rowid is the name by which SQL reaches the rowid where no column shows it, and "" otherwise.
	Rowid string
	// Hidden says that the rowid cannot be reached at all: columns took all of its names. Such a table cannot
	// be read exactly.
	Hidden bool

	// Cells names the values of a row in order: Rowid first where there is one, then the columns that hold
	// something.
	Cells []string
	// Import names the values that can be inserted: Cells without generated columns; ImportCells says where
	// they stand in a row.
	Import      []string
	ImportCells []int

	cellColumns []int // for each cell the index in Columns, -1 for the rowid
}

// IsRowid says whether a cell of that name is the rowid, which no column shows. A column may be named "", as
// Rowid is where there is no such cell.
func (t *Table) IsRowid(cell string) bool { return t.Rowid != "" && cell == t.Rowid }

// KeyOf returns the key of a row, with bytes of its own.
func (t *Table) KeyOf(row []wire.Value) wire.Key {
	key := make(wire.Key, len(t.Key))
	for i, k := range t.Key {
		key[i] = row[k.Cell]
		key[i].Bytes = append([]byte(nil), key[i].Bytes...)
	}
	return key
}

// tableInfo is what PRAGMA table_list says of a table.
type tableInfo struct {
	kind         string // "table", "view", "shadow", "virtual"
	withoutRowid bool
	strict       bool
	module       string // of a virtual table, in lower case
}

func listTables(conn *capi.Conn) (map[string]tableInfo, error) {
	list := map[string]tableInfo{}
	err := conn.WithoutSelects(func() error {
		return conn.Query("PRAGMA main.table_list", nil, func(s *capi.Stmt) error {
			list[s.Text(1)] = tableInfo{kind: s.Text(2), withoutRowid: s.Int(4) != 0, strict: s.Int(5) != 0}
			return nil
		})
	})
	return list, err
}

// describeTable derives a Table from the database's own description of it.
func describeTable(conn *capi.Conn, name string, info tableInfo) (Table, error) {
	t := Table{Name: name, Strict: info.strict}
	switch {
	case info.kind == "virtual":
		t.Kind = VirtualTable
	case info.withoutRowid:
		t.Kind = WithoutRowidTable
	}
	columns, err := readColumns(conn, name, info.strict)
	if err != nil {
		return t, err
	}
	primary, err := primaryIndex(conn, name)
	if err != nil {
		return t, err
	}
	t.Columns = columns.visible()
	shown := false
	switch {
	case info.module == "rtree" || info.module == "rtree_i32":
		primary, shown = []KeyColumn{rowidKey(columns[0].Name)}, true // its id is its rowid
	case t.Kind == RowidTable && primary == nil:
		primary = columns.integerPrimaryKey()
		shown = primary != nil
	}
	if t.Kind != WithoutRowidTable && !shown {
		t.Rowid = columns.rowidName()
		t.Hidden = t.Rowid == ""
	}
	t.layOut()
	t.Key, err = t.keyColumns(primary)
	return t, err
}

// layOut fills Cells, Import and what belongs to them.
func (t *Table) layOut() {
	if t.Rowid != "" {
		t.addCell(t.Rowid, -1, true)
	}
	for i, c := range t.Columns {
		if c.Generated != GeneratedVirtual {
			t.addCell(c.Name, i, c.Generated == NotGenerated)
		}
	}
}

func (t *Table) addCell(name string, column int, insertable bool) {
	if insertable {
		t.Import = append(t.Import, name)
		t.ImportCells = append(t.ImportCells, len(t.Cells))
	}
	t.Cells = append(t.Cells, name)
	t.cellColumns = append(t.cellColumns, column)
}

// rowidKey is the key of a table that is ordered by its rowid.
func rowidKey(name string) KeyColumn { return KeyColumn{Name: name, Collation: "BINARY"} }

func (t *Table) keyColumns(primary []KeyColumn) ([]KeyColumn, error) {
	switch {
	case t.Hidden:
		return nil, nil
	case t.Rowid != "":
		return []KeyColumn{rowidKey(t.Rowid)}, nil
	}
	for i := range primary {
		cell := t.cellNamed(primary[i].Name)
		if cell < 0 {
			return nil, fmt.Errorf(
				"read table %s: its key column %s holds no values",
				t.Name,
				primary[i].Name,
			)
		}
		primary[i].Cell = cell
	}
	if len(primary) == 0 {
		return nil, fmt.Errorf("read table %s: a WITHOUT ROWID table without a primary key", t.Name)
	}
	return primary, nil
}

func (t *Table) cellNamed(name string) int {
	for i, cell := range t.Cells {
		if cell == name {
			return i
		}
	}
	return -1
}

// tableColumn is a row of PRAGMA table_xinfo.
type tableColumn struct {
	Column
	primary int64 // position in the primary key, from 1; 0 for others
	hidden  bool  // a hidden column of a virtual table
}

type tableColumns []tableColumn

func readColumns(conn *capi.Conn, table string, strict bool) (tableColumns, error) {
	var columns tableColumns
	err := conn.Query(
		`SELECT name, type, "notnull", pk, hidden FROM temp.pragma_table_xinfo(?, 'main') ORDER BY cid`,
		textParams(table),
		func(s *capi.Stmt) error {
			c := tableColumn{
				Column:  Column{Name: s.Text(0), Declared: s.Text(1), NotNull: s.Int(2) != 0},
				primary: s.Int(3),
			}
			c.Affinity = affinityOf(c.Declared, strict)
			switch s.Int(4) {
			case 1:
				c.hidden = true
			case 2:
				c.Generated = GeneratedVirtual
			case 3:
				c.Generated = GeneratedStored
			}
			columns = append(columns, c)
			return nil
		},
	)
	if err == nil && len(columns) == 0 {
		err = fmt.Errorf("SQLite shows no columns")
	}
	if err != nil {
		return nil, fmt.Errorf("read columns of %s: %w", table, err)
	}
	return columns, nil
}

func (columns tableColumns) visible() []Column {
	var visible []Column
	for _, c := range columns {
		if !c.hidden {
			visible = append(visible, c.Column)
		}
	}
	return visible
}

// integerPrimaryKey is the column that shows the rowid, nil if there is none. It is right only for a primary
// key without an index of its own. (An INTEGER PRIMARY KEY DESC has an index: it does not show the rowid.)
func (columns tableColumns) integerPrimaryKey() []KeyColumn {
	var key []KeyColumn
	count := 0
	for _, c := range columns {
		if c.primary > 0 {
			count++
			if upperASCII(c.Declared) == "INTEGER" {
				key = []KeyColumn{rowidKey(c.Name)}
			}
		}
	}
	if count != 1 {
		return nil
	}
	return key
}

// rowidName is a name that reaches the rowid because no column, not even a hidden one, has it.
func (columns tableColumns) rowidName() string {
	for _, name := range []string{"rowid", "_rowid_", "oid"} {
		taken := false
		for _, c := range columns {
			taken = taken || strings.EqualFold(c.Name, name)
		}
		if !taken {
			return name
		}
	}
	return ""
}

// primaryIndex returns the columns of the index that holds the primary key, and nil if there is none.
func primaryIndex(conn *capi.Conn, table string) ([]KeyColumn, error) {
	var key []KeyColumn
	const sql = `SELECT x.name, x.coll, x."desc" FROM temp.pragma_index_list(?, 'main') AS l, temp.pragma_index_xinfo(l.name, 'main') AS x
		WHERE l.origin = 'pk' AND x.key = 1 ORDER BY x.seqno`
	err := conn.Query(sql, textParams(table), func(s *capi.Stmt) error {
		key = append(key, KeyColumn{Name: s.Text(0), Collation: s.Text(1), Desc: s.Int(2) != 0})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read primary key of %s: %w", table, err)
	}
	return key, nil
}

func textParams(texts ...string) []wire.Value {
	params := make([]wire.Value, len(texts))
	for i, text := range texts {
		params[i] = wire.Value{Class: wire.Text, Bytes: []byte(text)}
	}
	return params
}
