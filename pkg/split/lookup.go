package split

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
)

// lookup is a scratch table with an index of our own: the values by which rows of one end of a relation
// are looked up, beside their keys. nil where an index of the schema does.
type lookup struct{ name string }

// indexRelations makes lookups for the relations that the indexes of the schema do not serve. An index
// over a part of the rows, or over another collation, is of no use to a join, and keeps SQLite from making
// one of its own: each row of one table would then be compared with each of the other.
func (d *decision) indexRelations() error {
	for i, r := range d.relations {
		scratch := func(kind string) string {
			return "temp." + sqltext.Quote(d.shape.freeName(fmt.Sprintf("dbmigrate_%s_%d", kind, i)))
		}
		ends := []struct {
			name, alias, join string
			t                 *table
			columns           []string
			made              **lookup
		}{
			{scratch("children"), "c", r.childrenOf(d.sets[r.parent].last), r.child, r.childColumns, &r.byParent},
			{scratch("parents"), "p", r.parentsOf(d.sets[r.child].last), r.parent, r.parentColumns, &r.byChild},
		}
		for _, end := range ends {
			served, err := isLookedUp(d.conn, "SELECT 1"+end.join, end.alias, len(end.columns))
			if err != nil {
				return err
			}
			if served {
				continue
			}
			if err := d.makeLookup(r, end.name, end.t, end.columns); err != nil {
				return fmt.Errorf("index the references of table %s: %w", r.child.Name, err)
			}
			*end.made = &lookup{end.name}
		}
	}
	return nil
}

// isLookedUp says whether SQLite finds the rows of alias by an index of the schema, over all the columns.
func isLookedUp(conn *capi.Conn, sql, alias string, columns int) (found bool, err error) {
	err = conn.Query("EXPLAIN QUERY PLAN "+sql, nil, func(s *capi.Stmt) error {
		step := s.Text(3)
		found = found || strings.HasPrefix(step, "SEARCH "+alias+" ") && strings.Count(step, "=?") == columns &&
			!strings.Contains(step, " AUTOMATIC ") && !strings.Contains(step, "ANY(")
		return nil
	})
	return found, err
}

// makeLookup fills a lookup: the values as the comparison of the relation takes them, so that an index
// serves it whatever the types and collations of both columns are. Sorted rows make a table that is
// written once, in order.
func (d *decision) makeLookup(r *relation, name string, t *table, columns []string) error {
	var definitions, names, values, conditions []string
	for i, column := range columns {
		collation, numeric, err := comparison(d.conn, r, i)
		if err != nil {
			return err
		}
		affinity := ""
		if numeric {
			affinity = " NUMERIC"
		}
		names = append(names, fmt.Sprintf("v%d", i))
		definitions = append(definitions, fmt.Sprintf("v%d%s COLLATE %s", i, affinity, sqltext.Quote(collation)))
		values = append(values, "t."+sqltext.Quote(column))
		conditions = append(conditions, "t."+sqltext.Quote(column)+" IS NOT NULL")
	}
	for i := range t.Key {
		names = append(names, fmt.Sprintf("k%d", i))
		definitions = append(definitions, t.keyDefinition(i))
	}
	order := make([]string, len(names))
	for i := range order {
		order[i] = fmt.Sprint(i + 1)
	}
	return execAll(d.conn,
		fmt.Sprintf("CREATE TABLE %s (%s, PRIMARY KEY(%s)) WITHOUT ROWID",
			name, strings.Join(definitions, ", "), strings.Join(names, ", ")),
		fmt.Sprintf("INSERT INTO %s SELECT %s FROM %s AS t WHERE %s ORDER BY %s", name,
			strings.Join(slices.Concat(values, t.keyOf("t")), ", "), t.main(),
			strings.Join(conditions, " AND "), strings.Join(order, ", ")),
	)
}

// comparison says how SQLite compares column i of both ends: by which collation, and whether as numbers.
func comparison(conn *capi.Conn, r *relation, i int) (collation string, numeric bool, err error) {
	const affinities = 0x47 // SQLITE_AFF_MASK; those of numbers begin at NUMERIC, 0x43
	collation = "BINARY"
	sql := "EXPLAIN SELECT " + r.equal("p."+sqltext.Quote(r.parentColumns[i]), i) +
		" FROM " + r.parent.main() + " AS p CROSS JOIN " + r.child.main() + " AS c"
	err = conn.Query(sql, nil, func(s *capi.Stmt) error {
		if s.Text(1) != "Eq" {
			return nil
		}
		collation, _, _ = strings.Cut(s.Text(5), "-")
		numeric = s.Int(6)&affinities >= 0x43
		return nil
	})
	return collation, numeric, err
}
