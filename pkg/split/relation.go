package split

import (
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// relation is a foreign key: rows of child refer to rows of parent.
type relation struct {
	child, parent               *table
	childColumns, parentColumns []string
	// byParent finds children by values of the parent, byChild the parents by those of a child.
	byParent, byChild *lookup
}

// follows says whether the child's rows go where their parents are.
func (r *relation) follows() bool { return !r.child.rule.FollowOwn }

// on is the condition under which child row c refers to parent row p. The parent's column stands first: its
// collation counts.
func (r *relation) on() string {
	var terms []string
	for i := range r.childColumns {
		terms = append(terms, r.equal("p."+sqltext.Quote(r.parentColumns[i]), i))
	}
	return strings.Join(terms, " AND ")
}

// equal compares a value with column i of child row c.
func (r *relation) equal(value string, i int) string {
	return value + " = c." + sqltext.Quote(r.childColumns[i])
}

// readRelations takes the foreign keys of the schema and those of the policy.
func (s *shape) readRelations(conn *capi.Conn) ([]*relation, error) {
	var relations []*relation
	for _, t := range s.tables {
		declared, err := s.declaredRelations(conn, t)
		if err != nil {
			return nil, fmt.Errorf("read foreign keys of %s: %w", t.Name, err)
		}
		relations = append(relations, declared...)
		for _, reference := range t.rule.References {
			r, err := s.statedRelation(t, reference)
			if err != nil {
				return nil, err
			}
			relations = append(relations, r)
		}
	}
	return relations, nil
}

// declaredRelations leaves out foreign keys that SQLite itself could not follow: to a table or column that is
// not there.
func (s *shape) declaredRelations(conn *capi.Conn, t *table) ([]*relation, error) {
	type row struct {
		id       int64
		table    string
		from, to string
	}
	var rows []row
	const sql = `SELECT id, "table", "from", "to" FROM temp.pragma_foreign_key_list(?, 'main') ORDER BY id, seq`
	err := conn.Query(sql, []wire.Value{text(t.Name)}, func(s *capi.Stmt) error {
		rows = append(rows, row{s.Int(0), s.Text(1), s.Text(2), s.Text(3)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	var relations []*relation
	for i := 0; i < len(rows); {
		reference := Reference{Table: rows[i].table}
		for id := rows[i].id; i < len(rows) && rows[i].id == id; i++ {
			reference.Columns = append(reference.Columns, rows[i].from)
			if rows[i].to != "" {
				reference.To = append(reference.To, rows[i].to)
			}
		}
		if r, fault := s.resolve(t, reference); fault == "" {
			relations = append(relations, r)
		}
	}
	return relations, nil
}

func (s *shape) statedRelation(t *table, reference Reference) (*relation, error) {
	r, fault := s.resolve(t, reference)
	if fault != "" {
		return nil, blocked(t.Name, hintPolicy, "the policy's reference to %s: %s", reference.Table, fault)
	}
	return r, nil
}

// resolve finds the tables and columns of a reference; fault says what is not there.
func (s *shape) resolve(t *table, reference Reference) (r *relation, fault string) {
	parent := s.table(reference.Table)
	if parent == nil {
		return nil, "there is no table of that name"
	}
	to := reference.To
	if len(to) == 0 {
		to = parent.primary
	}
	if len(to) != len(reference.Columns) {
		return nil, fmt.Sprintf(
			"columns refer to a key of another number of columns (%d to %d)",
			len(reference.Columns),
			len(to),
		)
	}
	r = &relation{child: t, parent: parent}
	for i := range to {
		from, found := t.column(reference.Columns[i])
		if !found {
			return nil, "there is no column " + reference.Columns[i]
		}
		name, found := parent.column(to[i])
		if !found {
			return nil, "it has no column " + to[i]
		}
		r.childColumns, r.parentColumns = append(r.childColumns, from), append(r.parentColumns, name)
	}
	return r, ""
}
