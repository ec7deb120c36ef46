package split

import (
	"fmt"
	"maps"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
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
