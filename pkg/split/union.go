package split

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Union writes to outPath, which must not exist, the database that holds the rows of both parts. What stands
// in the header, sqlite_stat1 and the options of full-text tables are the hot part's; of each entry of
// sqlite_sequence the higher counts. A rowid that no column shows is no key: where both parts use it, the
// cold row gets a new one.
//
// Of the reference tables the hot part has the rows; the cold part's copies are left out.
//
// Errors: kind Conflict for schemas that differ and for keys on both sides; all of them are named at once.
// Then there is no file.
func Union(ctx context.Context, hotPath, coldPath, outPath string, reference ...string) error {
	_, err := UnionPreferring(ctx, "", hotPath, coldPath, outPath, reference...)
	return err
}

// Prefer says which side keeps its row where both have one under the same key; "" refuses such keys.
type Prefer string

// The sides.
const (
	PreferHot  Prefer = "hot"
	PreferCold Prefer = "cold"
)

// UnionPreferring is Union, which leaves out the row of the other side where a key is on both. It returns how
// many rows it left out. Schemas that differ are refused all the same, and rows if others would refer to them
// in vain.
func UnionPreferring(
	ctx context.Context,
	prefer Prefer,
	hotPath, coldPath, outPath string,
	reference ...string,
) (left int64, err error) {
	left, err = union(ctx, prefer, hotPath, coldPath, outPath, reference)
	if err == nil {
		if err = checkIntegrity(ctx, outPath, userdb.Mismatch); err != nil {
			err = errors.Join(err, os.Remove(outPath))
		}
	}
	return left, fail("merge", hotPath, err)
}

func union(
	ctx context.Context,
	prefer Prefer,
	hotPath, coldPath, outPath string,
	reference []string,
) (left int64, err error) {
	m, err := newMerge(ctx, hotPath, coldPath)
	if err != nil {
		return 0, err
	}
	m.prefer = prefer
	if err := m.hot.addReferences(reference); err != nil {
		return 0, err
	}
	if _, err := os.Lstat(outPath); err == nil {
		return 0, fmt.Errorf("%s exists", outPath)
	}
	coldWork := outPath + ".cold-work"
	defer func() { err = errors.Join(err, os.Remove(coldWork)) }()
	if err := copyUnmarked(coldPath, coldWork); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(outPath))
		}
	}()
	if err := copyUnmarked(hotPath, outPath); err != nil {
		return 0, err
	}
	if m.conn, err = openWork(outPath, coldWork, "cold"); err != nil {
		return 0, err
	}
	if err := errors.Join(m.run(ctx), m.conn.Close()); err != nil {
		return 0, err
	}
	return m.left, m.hot.mark.write(outPath)
}

// merge adds the rows of the attached database "cold" to those of "main".
type merge struct {
	conn      *capi.Conn
	hot, cold *shape
	found     conflicts
	prefer    Prefer
	left      int64 // rows that were left out
	orphans   int64 // rows that refer to none, before the merge
}

func newMerge(ctx context.Context, hotPath, coldPath string) (*merge, error) {
	hot, err := readShape(ctx, hotPath)
	if err != nil {
		return nil, err
	}
	cold, err := readShape(ctx, coldPath)
	if err != nil {
		return nil, err
	}
	found, err := compareSchemas(hot.schema, cold.schema)
	return &merge{hot: hot, cold: cold, found: found}, err
}

func (m *merge) run(ctx context.Context) error {
	defer m.conn.Watch(ctx)()
	if err := m.check(); err != nil {
		return err
	}
	if err := m.saveSequence(); err != nil {
		return err
	}
	if err := m.conn.Exec("BEGIN"); err != nil {
		return err
	}
	for _, t := range m.hot.tables {
		if t.copied {
			continue
		}
		if err := m.add(&t.Table); err != nil {
			return fmt.Errorf("merge table %s: %w", t.Name, err)
		}
	}
	for i := range m.hot.virtual {
		if err := m.add(&m.hot.virtual[i]); err != nil {
			return fmt.Errorf("merge table %s: %w", m.hot.virtual[i].Name, err)
		}
	}
	if err := m.rebuildIndexes(); err != nil {
		return err
	}
	if err := m.joinSequence(); err != nil {
		return fmt.Errorf("merge sqlite_sequence: %w", err)
	}
	if err := m.checkOrphans(); err != nil {
		return err
	}
	return m.conn.Exec("COMMIT")
}

// insertInto begins an INSERT into the hot part. OR ABORT overrides conflict clauses of the schema, which
// would drop rows without a word.
const insertInto = "INSERT OR ABORT INTO main."

// add inserts the cold rows of one table.
func (m *merge) add(t *sqlitefile.Table) error {
	cold := "cold." + sqltext.Quote(t.Name)
	if rows, err := number(m.conn, "SELECT EXISTS (SELECT 1 FROM "+cold+")"); err != nil || rows == 0 {
		return err
	}
	columns := importList(t, true)
	insert := insertInto + sqltext.Quote(
		t.Name,
	) + "(" + columns + ") SELECT " + columns + " FROM " + cold + " AS c"
	if t.Rowid != "" && t.Kind == sqlitefile.RowidTable {
		return m.addWithRowids(t, insert)
	}
	return m.insert(t, insert)
}

// addWithRowids adds rows with a rowid that no column shows: first those with a free rowid, then the others
// with new ones.
func (m *merge) addWithRowids(t *sqlitefile.Table, insert string) error {
	taken := " WHERE EXISTS (SELECT 1 FROM main." + sqltext.Quote(
		t.Name,
	) + " AS m WHERE m." + t.Rowid + " = c." + t.Rowid + ")"
	some, err := number(m.conn, "SELECT EXISTS (SELECT 1 FROM cold."+sqltext.Quote(t.Name)+" AS c"+taken+")")
	if err != nil {
		return err
	}
	if some == 0 {
		return m.insert(t, insert)
	}
	held := "temp.dbmigrate_renumbered"
	if err := m.conn.Exec("CREATE TABLE " + held + " AS SELECT c." + t.Rowid + " AS r FROM cold." + sqltext.Quote(t.Name) + " AS c" + taken); err != nil {
		return err
	}
	in := "c." + t.Rowid + " IN (SELECT r FROM " + held + ")"
	if err := m.insert(t, insert+" WHERE NOT "+in); err != nil {
		return err
	}
	columns := importList(t, false)
	again := insertInto + sqltext.Quote(
		t.Name,
	) + "(" + columns + ") SELECT " + columns + " FROM cold." + sqltext.Quote(
		t.Name,
	) + " AS c WHERE " + in
	if columns == "" {
		again = insertInto + sqltext.Quote(t.Name) + "(" + t.Rowid + ") SELECT NULL FROM " + held
	}
	if err := m.insert(t, again); err != nil {
		return err
	}
	return m.conn.Exec("DROP TABLE " + held)
}

// insert runs an INSERT; what SQLite finds twice is a conflict.
func (m *merge) insert(t *sqlitefile.Table, sql string) error {
	err := m.conn.Exec(sql)
	if err != nil && capi.PrimaryCode(err) == sqlite3.SQLITE_CONSTRAINT {
		return newConflict("table "+t.Name, hintKeys, "the cold rows do not fit beside the hot ones: "+capi.Message(err))
	}
	return err
}

// importList lists the values that can be inserted.
func importList(t *sqlitefile.Table, rowid bool) string {
	var names []string
	for _, name := range t.Import {
		switch {
		case !t.IsRowid(name):
			names = append(names, sqltext.Quote(name))
		case rowid:
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// checkKey finds keys that stand on both sides; condition is that of an index over a part of the rows.
func (m *merge) checkKey(t *sqlitefile.Table, key []sqlitefile.KeyColumn, condition string) error {
	var terms, shown []string
	for _, k := range key {
		name := sqltext.Quote(k.Name)
		if t.IsRowid(k.Name) {
			name = k.Name
		}
		equal := "m." + name
		if t.Kind == sqlitefile.WithoutRowidTable || k.Name != t.Key[0].Name {
			equal += " COLLATE " + sqltext.Quote(k.Collation)
		}
		terms = append(terms, equal+" = c."+name)
		shown = append(shown, shownLiteral("c."+name))
	}
	side := func(schema string) string {
		if condition == "" {
			return schema + "." + sqltext.Quote(t.Name)
		}
		return "(SELECT * FROM " + schema + "." + sqltext.Quote(t.Name) + " WHERE " + condition + "\n)"
	}
	from := " FROM " + side("cold") + " AS c CROSS JOIN " + side("main") + " AS m WHERE " + strings.Join(terms, " AND ")
	rows, err := show(m.conn, "SELECT "+strings.Join(shown, " || ', ' || "), from)
	if err != nil || rows == "" {
		return err
	}
	if m.prefer != "" {
		return m.leaveOut(t, terms, condition)
	}
	m.found.add(t.Name, hintKeys, "a row stands on both sides under the same %s: %s", keyNames(key), rows)
	return nil
}

func keyNames(key []sqlitefile.KeyColumn) string {
	var names []string
	for _, k := range key {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

// checkUnique does the same for the other keys of an ordinary table. Indexes over expressions are left to the
// INSERT.
func (m *merge) checkUnique(t *sqlitefile.Table) error {
	if t.Kind == sqlitefile.VirtualTable {
		return nil
	}
	var indexes []string
	err := m.conn.Query(
		`SELECT name FROM temp.pragma_index_list(?, 'main') WHERE "unique" AND NOT (origin = 'pk' AND ?)`,
		[]wire.Value{text(t.Name), {Class: wire.Integer, Int: flag(t.Kind == sqlitefile.WithoutRowidTable)}},
		func(s *capi.Stmt) error {
			indexes = append(indexes, s.Text(0))
			return nil
		},
	)
	if err != nil {
		return err
	}
	for _, index := range indexes {
		key, err := m.indexKey(index)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(key, func(k sqlitefile.KeyColumn) bool { return k.Name == "" }) {
			continue
		}
		if err := m.checkKey(t, key, m.hot.conditionOf(index)); err != nil {
			return err
		}
	}
	return nil
}

func (m *merge) indexKey(index string) (key []sqlitefile.KeyColumn, err error) {
	err = m.conn.Query(
		"SELECT name, coll FROM temp.pragma_index_xinfo(?, 'main') WHERE key ORDER BY seqno",
		[]wire.Value{text(index)},
		func(s *capi.Stmt) error {
			key = append(key, sqlitefile.KeyColumn{Name: s.Text(0), Collation: s.Text(1)})
			return nil
		},
	)
	return key, err
}

// rebuildIndexes rebuilds full-text indexes over content that got cold rows.
func (m *merge) rebuildIndexes() error {
	names, content := m.hot.externalIndexes()
	for i, name := range names {
		under, err := m.hot.tablesUnder(m.conn, content[i])
		if err != nil {
			return err
		}
		for _, t := range under {
			if t.copied {
				continue
			}
			rows, err := number(m.conn, "SELECT EXISTS (SELECT 1 FROM cold."+sqltext.Quote(t.Name)+")")
			if err != nil {
				return err
			}
			if rows == 0 {
				continue
			}
			quoted := sqltext.Quote(name)
			if err := m.conn.Exec("INSERT INTO main." + quoted + "(" + quoted + ") VALUES('rebuild')"); err != nil {
				return fmt.Errorf("build the full-text index %s: %w", name, err)
			}
			break
		}
	}
	return nil
}

// saveSequence keeps the hot part's sqlite_sequence, which SQLite changes while rows are inserted.
func (m *merge) saveSequence() error {
	if !m.hot.sequence && !m.cold.sequence {
		return nil
	}
	if !m.hot.sequence {
		if err := makeSequence(m.conn, m.hot); err != nil {
			return err
		}
	}
	return m.conn.Exec(
		"CREATE TEMP TABLE dbmigrate_sequence AS SELECT rowid AS r, name, seq FROM main.sqlite_sequence",
	)
}

// joinSequence puts it back, with the cold part's entries where they are higher or missing.
func (m *merge) joinSequence() error {
	if !m.hot.sequence && !m.cold.sequence {
		return nil
	}
	statements := []string{
		"DELETE FROM main.sqlite_sequence",
		"INSERT INTO main.sqlite_sequence(rowid, name, seq) SELECT r, name, seq FROM temp.dbmigrate_sequence ORDER BY r",
	}
	if m.cold.sequence {
		statements = append(
			statements,
			"UPDATE main.sqlite_sequence AS h SET seq = "+highest(
				"cold.sqlite_sequence",
			)+" WHERE typeof(h.seq) = 'integer' AND "+
				highest(
					"cold.sqlite_sequence",
				)+" > "+highest(
				"temp.dbmigrate_sequence",
			),
			`INSERT INTO main.sqlite_sequence(name, seq) SELECT name, seq FROM cold.sqlite_sequence AS c
				WHERE NOT EXISTS (SELECT 1 FROM temp.dbmigrate_sequence AS h WHERE h.name IS c.name)`,
		)
	}
	return execAll(m.conn, statements...)
}

// highest is the highest number that a table has under the name of row h.
func highest(table string) string {
	return "(SELECT max(c.seq) FROM " + table + " AS c WHERE c.name = h.name AND typeof(c.seq) = 'integer')"
}
