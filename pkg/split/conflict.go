package split

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const (
	hintSchemas = "change the schema of one side until both are the same, and roll back again"
	hintKeys    = "delete or change the row on one side, and roll back again; until then nothing changes"
)

// conflict is one reason why two halves cannot be merged.
type conflict struct{ table, text, hint string }

// conflicts are all of them.
type conflicts []conflict

func (c *conflicts) add(table, hint, format string, args ...any) {
	*c = append(*c, conflict{table, fmt.Sprintf(format, args...), hint})
}

// err names all conflicts at once, nil for none.
func (c conflicts) err() error {
	switch len(c) {
	case 0:
		return nil
	case 1:
		return newConflict(c[0].thing(), c[0].hint, c[0].text)
	}
	var texts, hints []string
	for _, one := range c {
		texts = append(texts, strings.TrimPrefix(one.thing()+": "+one.text, ": "))
		if !slices.Contains(hints, one.hint) {
			hints = append(hints, one.hint)
		}
	}
	return newConflict("", strings.Join(hints, "; "), strings.Join(texts, "; "))
}

func (c conflict) thing() string {
	if c.table == "" {
		return ""
	}
	return "table " + c.table
}

func newConflict(thing, hint, text string) error {
	return &userdb.Error{Op: "merge", Thing: thing, Kind: userdb.Conflict, Err: fmt.Errorf("%s", text), Hint: hint}
}

// compareSchemas compares what the rows need: the objects, and the encoding of text. The rest of the header
// is the hot part's.
func compareSchemas(hot, cold wire.Schema) (found conflicts, err error) {
	if hot.Header.Encoding != cold.Header.Encoding {
		found.add(
			"",
			hintSchemas,
			"the hot rows are in %s and the cold ones in %s",
			hot.Header.Encoding,
			cold.Header.Encoding,
		)
		return nil, found.err() // the rows cannot be compared
	}
	for _, o := range hot.Objects {
		switch other := objectOf(cold.Objects, o); {
		case other == nil:
			found.add("", hintSchemas, "the cold rows' schema has no %s %s like that of the hot ones", o.Type, o.Name)
		case *other != o:
			found.add("", hintSchemas, "%s %s is not the same on both sides: %s", o.Type, o.Name, difference(o.SQL, other.SQL))
		}
	}
	for _, o := range cold.Objects {
		if objectOf(hot.Objects, o) == nil {
			found.add("", hintSchemas, "the hot rows' schema has no %s %s like that of the cold ones", o.Type, o.Name)
		}
	}
	return found, nil
}

func objectOf(objects []wire.Object, like wire.Object) *wire.Object {
	for i := range objects {
		if objects[i].Type == like.Type && objects[i].Name == like.Name {
			return &objects[i]
		}
	}
	return nil
}

// difference shows where two texts differ: what is left of each without the tokens that both begin and end
// with.
func difference(hot, cold string) string {
	a, b := spaced(hot), spaced(cold)
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return "hot " + shownPart(a) + ", cold " + shownPart(b)
}

// spaced are the tokens of a text, each with the space before it.
func spaced(sql string) (parts []string) {
	for token, before := range sqltext.Tokens(sql) {
		parts = append(parts, before+string(token))
	}
	return parts
}

// shownSQL is how much of a schema's difference an error shows.
const shownSQL = 200

func shownPart(parts []string) string {
	text := strings.TrimSpace(strings.Join(parts, ""))
	if text == "" {
		return "has nothing there"
	}
	if len(text) > shownSQL {
		text = strings.ToValidUTF8(text[:shownSQL], "") + "..."
	}
	return "has `" + text + "`"
}

// leaveOut removes the rows of the side that is not preferred, where both have one under a key.
func (m *merge) leaveOut(t *sqlitefile.Table, terms []string, condition string) error {
	loser, winner := "cold", "main"
	from, other := "c", "m"
	if m.prefer == PreferCold {
		loser, winner, from, other = winner, loser, other, from
	}
	if m.left == 0 {
		if err := m.countOrphans(); err != nil {
			return err
		}
	}
	table := sqltext.Quote(t.Name)
	against, also := winner+"."+table, ""
	if condition != "" {
		against = "(SELECT * FROM " + against + " WHERE " + condition + "\n)"
		also = "(" + condition + "\n) AND "
	}
	err := m.conn.Exec(
		"DELETE FROM " + loser + "." + table + " AS " + from + " WHERE " + also + "EXISTS (SELECT 1 FROM " + against + " AS " + other +
			" WHERE " + strings.Join(terms, " AND ") + ")",
	)
	if err != nil {
		return err
	}
	rows, err := number(m.conn, "SELECT changes()")
	m.left += rows
	return err
}

// countOrphans counts, before rows are left out, those that refer to none.
func (m *merge) countOrphans() error {
	hot, err := number(m.conn, "SELECT count(*) FROM temp.pragma_foreign_key_check(NULL, 'main')")
	if err != nil {
		return err
	}
	cold, err := number(m.conn, "SELECT count(*) FROM temp.pragma_foreign_key_check(NULL, 'cold')")
	m.orphans = hot + cold
	return err
}

// checkOrphans refuses to leave rows out to which others refer.
func (m *merge) checkOrphans() error {
	if m.left == 0 {
		return nil
	}
	orphans, err := number(m.conn, "SELECT count(*) FROM temp.pragma_foreign_key_check(NULL, 'main')")
	if err != nil || orphans <= m.orphans {
		return err
	}
	return newConflict("", hintKeys, fmt.Sprintf(
		"%d rows would refer to rows that are left behind, since the %s side has these keys under others",
		orphans-m.orphans, m.prefer,
	))
}

// check looks for everything that stands in the way of the merge, before it changes anything.
func (m *merge) check() error {
	for _, t := range m.hot.tables {
		if t.copied || m.differs(t.Name) {
			continue
		}
		if err := m.checkTable(&t.Table); err != nil {
			return fmt.Errorf("compare the keys of table %s: %w", t.Name, err)
		}
	}
	for i := range m.hot.virtual {
		if t := &m.hot.virtual[i]; !m.differs(t.Name) {
			if err := m.checkTable(t); err != nil {
				return fmt.Errorf("compare the keys of table %s: %w", t.Name, err)
			}
		}
	}
	if err := m.checkCopied(); err != nil {
		return fmt.Errorf("compare the reference tables: %w", err)
	}
	return m.found.err()
}

const hintCopied = "insert the row again through scope hot, change or delete the rows through scope cold, or take them as " +
	"they are with `rollback --prefer hot`; then roll back again"

// checkCopied finds cold rows that refer to a row of a reference table which the hot side no longer has.
// SQLite would have refused to delete it, or deleted them with it, had it seen them.
func (m *merge) checkCopied() error {
	if m.prefer == PreferHot || len(m.hot.copied()) == 0 {
		return nil
	}
	if err := m.hot.readPrimaryKeys(m.conn); err != nil {
		return err
	}
	relations, err := m.hot.readRelations(m.conn)
	if err != nil {
		return err
	}
	for _, r := range relations {
		if r.child.copied || !r.parent.copied || m.differs(r.child.Name) || m.differs(r.parent.Name) {
			continue
		}
		has := func(schema string) string {
			return "EXISTS (SELECT 1 FROM " + schema + "." + sqltext.Quote(r.parent.Name) + " AS p WHERE " + r.on() + ")"
		}
		rows, err := show(
			m.conn,
			"SELECT "+r.child.quotedKey("c"),
			" FROM cold."+sqltext.Quote(r.child.Name)+" AS c WHERE "+has("cold")+" AND NOT "+has("main"),
		)
		if err != nil {
			return err
		}
		if rows != "" {
			m.found.add(r.child.Name, hintCopied, "cold rows refer to rows of the reference table %s (%s) that are no longer there: %s",
				r.parent.Name, strings.Join(r.childColumns, ", "), rows)
		}
	}
	return nil
}

// differs says whether a table is another one on the cold side, so that its rows cannot be compared.
func (m *merge) differs(name string) bool {
	return m.hot.textOf(name) != m.cold.textOf(name)
}

func (m *merge) checkTable(t *sqlitefile.Table) error {
	rows, err := number(m.conn, "SELECT EXISTS (SELECT 1 FROM cold."+sqltext.Quote(t.Name)+")")
	if err != nil || rows == 0 {
		return err
	}
	if t.Rowid == "" || t.Kind != sqlitefile.RowidTable {
		if err := m.checkKey(t, t.Key, ""); err != nil {
			return err
		}
	}
	return m.checkUnique(t)
}

// conditionOf is the WHERE of an index over a part of the rows, "" of any other.
func (s *shape) conditionOf(index string) string {
	for _, o := range s.schema.Objects {
		if o.Type != "index" || o.Name != index {
			continue
		}
		depth, condition, inside := 0, "", false
		for token, before := range sqltext.Tokens(o.SQL) {
			switch {
			case inside:
				condition += before + string(token)
			case token == "(":
				depth++
			case token == ")":
				depth--
			case depth == 0 && token.IsWord("where"):
				inside = true
			}
		}
		return strings.TrimSpace(condition)
	}
	return ""
}
