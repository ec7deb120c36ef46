package split

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Except returns the policy with one exception: rows of the table for which where is true are not cold by its
// rule. A row that follows a cold parent is cold all the same. Errors have kind Usage.
func (p *Policy) Except(table, where string) (*Policy, error) {
	refuse := func(err error, hint string) (*Policy, error) {
		return nil, &userdb.Error{
			Op:    "read the rows to thaw",
			Thing: table,
			Kind:  userdb.Usage,
			Err:   err,
			Hint:  hint,
		}
	}
	rule, ruled := p.Tables[table]
	if !ruled || rule.Where == "" {
		return refuse(
			fmt.Errorf("%s has no rule for this table that calls rows cold", p.path),
			"name a table of the policy that has a where",
		)
	}
	if err := checkExpression(where); err != nil {
		return refuse(err, "write one SQL expression over the columns of the table")
	}
	rule.Where = fmt.Sprintf(
		"(%s\n) AND NOT coalesce((%s\n), 0)",
		rule.Where,
		where,
	) // either may end in a comment
	excepted := *p
	excepted.Tables = maps.Clone(p.Tables)
	excepted.Tables[table] = rule
	return &excepted, nil
}

// Keep returns the policy with these rows as exceptions: they are hot, with every row that refers to one of
// them or to which one of them refers, and so on, so that no reference is torn. Rows that a database does not
// have are no exception of it.
func (p *Policy) Keep(rows []wire.Thaw) *Policy {
	excepted := *p
	excepted.thawed = slices.Concat(p.thawed, rows)
	return &excepted
}

// keepThawed makes the rows hot that were asked for. It returns how many of them there are.
func (d *decision) keepThawed(asked []wire.Thaw) (rows int64, err error) {
	if len(asked) == 0 {
		return 0, nil
	}
	for i, t := range d.shape.tables {
		set := "temp." + sqltext.Quote(d.shape.freeName(fmt.Sprintf("dbmigrate_asked_%d", i)))
		if err := d.conn.Exec("CREATE TABLE " + set + t.keyTable()); err != nil {
			return 0, err
		}
		for _, thaw := range asked {
			if d.shape.table(thaw.Table) != t {
				continue
			}
			if err := d.find(t, thaw, set); err != nil {
				return 0, fmt.Errorf("find the rows of table %s that were asked for: %w", t.Name, err)
			}
		}
		found, err := number(d.conn, "SELECT count(*) FROM "+set)
		if err != nil {
			return 0, err
		}
		rows += found
		if err := d.stay(t, "c", " FROM "+set+" AS k CROSS JOIN "+t.main()+" AS c WHERE "+t.found("c")+" AND "+d.isCold(t, "c"), nil); err != nil {
			return 0, err
		}
	}
	return rows, d.spreadHot(true)
}

// find puts the keys of the rows that were asked for into a key set. Where the table's columns are others by
// now, nothing can be said of its rows.
func (d *decision) find(t *table, thaw wire.Thaw, set string) error {
	var terms []string
	for _, name := range thaw.Columns {
		if !slices.ContainsFunc(t.Import, func(column string) bool { return sqltext.Fold(column) == sqltext.Fold(name) }) {
			return nil
		}
		// The first finds the row by an index, the second tells apart what a collation calls equal.
		column := "c." + sqltext.Quote(name)
		terms = append(terms, column+" = ?", "+"+column+" COLLATE BINARY = ?")
	}
	sql := "INSERT OR IGNORE INTO " + set + " SELECT " + strings.Join(
		t.keyOf("c"),
		", ",
	) + " FROM " + t.main() + " AS c WHERE " + strings.Join(
		terms,
		" AND ",
	)
	stmt, err := d.conn.Prepare(sql)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for _, key := range thaw.Keys {
		if len(key) != len(thaw.Columns) || len(key) == 0 {
			continue
		}
		var twice wire.Key
		for _, value := range key {
			twice = append(twice, value, value)
		}
		if err := stmt.Bind(twice, capi.UTF8); err != nil {
			return err
		}
		if err := stmt.Run(); err != nil {
			return err
		}
	}
	return nil
}
