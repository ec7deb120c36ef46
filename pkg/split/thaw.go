package split

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Except returns the policy with one exception: rows of the table for which where is true are not cold by its rule. A row that follows a cold parent is cold all the
// same. Errors have kind Usage.
func (p *Policy) Except(table, where string) (*Policy, error) {
	refuse := func(err error, hint string) (*Policy, error) {
		return nil, &userdb.Error{Op: "read the rows to thaw", Thing: table, Kind: userdb.Usage, Err: err, Hint: hint}
	}
	rule, ruled := p.Tables[table]
	if !ruled || rule.Where == "" {
		return refuse(fmt.Errorf("%s has no rule for this table that calls rows cold", p.path), "name a table of the policy that has a where")
	}
	if err := checkExpression(where); err != nil {
		return refuse(err, "write one SQL expression over the columns of the table")
	}
	rule.Where = fmt.Sprintf("(%s\n) AND NOT coalesce((%s\n), 0)", rule.Where, where) // either may end in a comment
	excepted := *p
	excepted.Tables = maps.Clone(p.Tables)
	excepted.Tables[table] = rule
	return &excepted, nil
}

// Keep returns the policy with these rows as exceptions: none of them is cold by its table's rule. As with Except, one that follows a cold parent is cold all the same.
// Rows that a database does not have are no exception of it.
func (p *Policy) Keep(rows []wire.Thaw) *Policy {
	excepted := *p
	excepted.thawed = slices.Concat(p.thawed, rows)
	return &excepted
}

// keepThawed takes the rows that were asked for out of those that their tables' rules call cold.
func (d *decision) keepThawed(asked []wire.Thaw) error {
	return d.eachThawed(asked, func(t *table, key wire.Key) error {
		return d.conn.Exec("DELETE FROM "+d.sets[t].cold+" AS c WHERE "+t.isKey("c"), key...)
	})
}

// coldThawed counts the rows that were asked for and are cold all the same.
func (d *decision) coldThawed(asked []wire.Thaw) (rows int64, err error) {
	err = d.eachThawed(asked, func(t *table, key wire.Key) error {
		return d.conn.Query("SELECT 1 FROM "+d.sets[t].cold+" AS c WHERE "+t.isKey("c"), key, func(*capi.Stmt) error {
			rows++
			return nil
		})
	})
	return rows, err
}

// eachThawed leaves out tables that are gone, and keys of another shape: the table was another one when they were asked for.
func (d *decision) eachThawed(asked []wire.Thaw, do func(*table, wire.Key) error) error {
	for _, thaw := range asked {
		t := d.shape.table(thaw.Table)
		if t == nil {
			continue
		}
		columns := len(t.keyOf("c"))
		for _, key := range thaw.Keys {
			if len(key) != columns {
				continue
			}
			if err := do(t, key); err != nil {
				return fmt.Errorf("thaw rows of table %s: %w", t.Name, err)
			}
		}
	}
	return nil
}

// isKey compares a row of the table's key set with a key that is bound.
func (t *table) isKey(alias string) string {
	terms := make([]string, len(t.keyOf(alias)))
	for i := range terms {
		terms[i] = fmt.Sprintf("%s.k%d = ?", alias, i)
	}
	return strings.Join(terms, " AND ")
}
