package split

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// decision holds the keys of the cold rows of the database "main" of a connection, in temporary tables:
// memory does not grow with them.
type decision struct {
	conn      *capi.Conn
	shape     *shape
	relations []*relation
	sets      map[*table]*keySet
	asked     int64 // how many rows are hot because the application asked for them
	accounts  map[*table]*TablePlan
}

// keySet names the temporary tables of one table: its cold keys, those that the last step changed, those that
// this one changes, and those that the table's own rule called cold.
type keySet struct{ cold, last, next, own string }

// decide applies the policy to the database that conn has open as main.
func decide(ctx context.Context, conn *capi.Conn, s *shape, p *Policy, at time.Time) (*decision, error) {
	defer conn.Watch(ctx)()
	d := &decision{conn: conn, shape: s, sets: map[*table]*keySet{}, accounts: map[*table]*TablePlan{}}
	if err := d.prepare(p); err != nil {
		return nil, err
	}
	for _, t := range s.tables {
		if err := d.applyRule(t, at); err != nil {
			return nil, err
		}
	}
	if err := d.takeChildren(); err != nil {
		return nil, err
	}
	if err := d.countMeant(); err != nil {
		return nil, err
	}
	var err error
	if d.asked, err = d.keepThawed(p.thawed); err != nil {
		return nil, err
	}
	if err := d.refuseStranded(p.StayHot); err != nil {
		return nil, err
	}
	if err := d.keepHot(p.StayHot); err != nil {
		return nil, err
	}
	return d, d.check()
}

// prepare gives the tables their rules and makes the temporary tables.
func (d *decision) prepare(p *Policy) (err error) {
	if err := d.shape.addRules(p); err != nil {
		return err
	}
	// A misspelt column in double quotes must not turn into a text.
	if err := d.conn.Configure(sqlite3.SQLITE_DBCONFIG_DQS_DML, false); err != nil {
		return err
	}
	if err := d.shape.readPrimaryKeys(d.conn); err != nil {
		return err
	}
	relations, err := d.shape.readRelations(d.conn)
	if err != nil {
		return err
	}
	if d.relations, err = d.withoutReferences(relations); err != nil {
		return err
	}
	if err := d.makeSets(); err != nil {
		return err
	}
	return d.indexRelations()
}

// makeSets makes the temporary tables for keys.
func (d *decision) makeSets() error {
	for i, t := range d.shape.tables {
		name := func(kind string) string {
			return "temp." + sqltext.Quote(d.shape.freeName(fmt.Sprintf("dbmigrate_%s_%d", kind, i)))
		}
		set := &keySet{name("cold"), name("last"), name("next"), name("own")}
		d.sets[t], d.accounts[t] = set, &TablePlan{}
		for _, table := range []string{set.cold, set.last, set.next, set.own} {
			if err := d.conn.Exec("CREATE TABLE " + table + t.keyTable()); err != nil {
				return err
			}
		}
	}
	return nil
}

// addRules joins the policy's rules with the tables.
func (s *shape) addRules(p *Policy) error {
	for _, name := range slices.Sorted(maps.Keys(p.Tables)) {
		t := s.table(name)
		switch {
		case t != nil:
			t.rule = p.Tables[name]
		case slices.ContainsFunc(s.schema.Virtual, func(v wire.Virtual) bool { return sqltext.Fold(v.Name) == sqltext.Fold(name) }):
			return blocked(
				name,
				"take it out of the policy: its rows stay hot",
				"the policy names it, and it is a virtual table",
			)
		default:
			return blocked(name, hintPolicy, "the policy names it, and this database does not have it")
		}
	}
	return s.addReferences(p.Reference)
}

// keyTable is the definition of a temporary table for keys: untyped, so that they stay as they are, and in
// the order of the key.
func (t *table) keyTable() string {
	if t.Kind == sqlitefile.RowidTable {
		return "(k0 INTEGER PRIMARY KEY)"
	}
	var columns, names []string
	for i := range t.Key {
		columns = append(columns, t.keyDefinition(i))
		names = append(names, fmt.Sprintf("k%d", i))
	}
	return "(" + strings.Join(
		columns,
		", ",
	) + ", PRIMARY KEY(" + strings.Join(
		names,
		", ",
	) + ")) WITHOUT ROWID"
}

// keyDefinition defines column i of the key in a scratch table.
func (t *table) keyDefinition(i int) string {
	if t.Kind == sqlitefile.RowidTable {
		return "k0 INTEGER"
	}
	return fmt.Sprintf("k%d COLLATE %s", i, sqltext.Quote(t.Key[i].Collation))
}

// matches compares the key set k with row alias of the table. The plus takes the column's affinity away: keys
// are compared as they are.
func (t *table) matches(alias string) string {
	var terms []string
	for i, k := range t.keyOf(alias) {
		terms = append(terms, fmt.Sprintf("k.k%d = +%s", i, k))
	}
	return strings.Join(terms, " AND ")
}

// found is the same comparison for looking the row up by the key.
func (t *table) found(alias string) string { return t.foundBy("k", alias) }

// foundBy looks the row alias up by the key in a row of a scratch table.
func (t *table) foundBy(scratch, alias string) string {
	var terms []string
	for i, k := range t.keyOf(alias) {
		terms = append(terms, fmt.Sprintf("%s = %s.k%d", t.collated(k, i), scratch, i))
	}
	return strings.Join(terms, " AND ")
}

// collated gives key column i, as an expression, the collation of the key.
func (t *table) collated(expression string, i int) string {
	if t.Kind == sqlitefile.RowidTable {
		return expression
	}
	return expression + " COLLATE " + sqltext.Quote(t.Key[i].Collation)
}

// isCold says whether row alias is cold.
func (d *decision) isCold(t *table, alias string) string {
	return "EXISTS (SELECT 1 FROM " + d.sets[t].cold + " AS k WHERE " + t.matches(alias) + ")"
}

// Where joins of relations come from. In each p is a row of the parent and c one of the child that refers to
// it.

// childrenOf begins at the parents in a key set.
func (r *relation) childrenOf(set string) string {
	return " FROM " + set + " AS k CROSS JOIN " + r.parent.main() + " AS p CROSS JOIN " +
		r.other(r.byParent, r.child, "c") + " WHERE " + r.parent.found("p") + " AND " + r.onLookup(r.byParent, r.child, "c")
}

// parentsOf begins at the children in a key set.
func (r *relation) parentsOf(set string) string {
	return " FROM " + set + " AS k CROSS JOIN " + r.child.main() + " AS c CROSS JOIN " +
		r.other(r.byChild, r.parent, "p") + " WHERE " + r.child.found("c") + " AND " + r.onLookup(r.byChild, r.parent, "p")
}

// other joins the rows of t, over a lookup if there is one.
func (r *relation) other(by *lookup, t *table, alias string) string {
	if by == nil {
		return t.main() + " AS " + alias
	}
	return by.name + " AS l CROSS JOIN " + t.main() + " AS " + alias
}

// onLookup is the condition of the relation, over a lookup if there is one.
func (r *relation) onLookup(by *lookup, t *table, alias string) string {
	if by == nil {
		return r.on()
	}
	columns, of := r.parentColumns, "p."
	if alias == "p" {
		columns, of = r.childColumns, "c."
	}
	terms := []string{t.foundBy("l", alias)}
	for i, column := range columns {
		terms = append(terms, fmt.Sprintf("l.v%d = %s", i, of+sqltext.Quote(column)))
	}
	return strings.Join(terms, " AND ")
}

// coldUnderHot are cold children with a hot parent.
func (d *decision) coldUnderHot(r *relation) string {
	return r.parentsOf(d.sets[r.child].cold) + " AND NOT " + d.isCold(r.parent, "p")
}

// hotUnderCold are hot children with a cold parent.
func (d *decision) hotUnderCold(r *relation) string {
	return r.childrenOf(d.sets[r.parent].cold) + " AND NOT " + d.isCold(r.child, "c")
}

func (t *table) main() string { return "main." + sqltext.Quote(t.Name) }

// applyRule collects the rows for which the table's own expression is true.
func (d *decision) applyRule(t *table, at time.Time) error {
	if t.rule.Where == "" {
		return nil
	}
	where := " FROM " + t.main() + " WHERE (" + bindMoment(t.rule.Where, at) + ")"
	if err := d.checkReading(t, "SELECT 1"+where); err != nil {
		return err
	}
	err := d.conn.Exec(
		"INSERT INTO " + d.sets[t].cold + " SELECT " + strings.Join(t.keyOf(sqltext.Quote(t.Name)), ", ") + where,
	)
	if err != nil && capi.PrimaryCode(err) == sqlite3.SQLITE_ERROR {
		return blocked(t.Name, hintPolicy, "the policy's where: %s", capi.Message(err))
	}
	if err != nil {
		return err
	}
	return d.conn.Exec("INSERT INTO " + d.sets[t].own + " SELECT * FROM " + d.sets[t].cold)
}

// checkReading compiles the expression with nothing allowed but reading and functions that always give the
// same.
func (d *decision) checkReading(t *table, sql string) error {
	if err := d.conn.Authorize(allowReading); err != nil {
		return err
	}
	stmt, err := d.conn.Prepare(sql)
	if err == nil {
		stmt.Close()
	}
	if endErr := d.conn.Authorize(nil); endErr != nil {
		return endErr
	}
	if err != nil {
		return blocked(t.Name, hintPolicy, "the policy's where: %s", capi.Message(err))
	}
	return nil
}

// takeChildren makes the children of cold rows cold, and theirs, where they follow their parents.
func (d *decision) takeChildren() error {
	for _, t := range d.shape.tables {
		if err := d.conn.Exec("INSERT INTO " + d.sets[t].last + " SELECT * FROM " + d.sets[t].cold); err != nil {
			return err
		}
	}
	for {
		for _, r := range d.relations {
			if !r.follows() {
				continue
			}
			if err := d.mark(r.child, "c", r.childrenOf(d.sets[r.parent].last)+" AND NOT "+d.isCold(r.child, "c")); err != nil {
				return err
			}
		}
		changed, err := d.advance(func(t *table) error {
			return d.conn.Exec("INSERT OR IGNORE INTO " + d.sets[t].cold + " SELECT * FROM " + d.sets[t].next)
		})
		if err != nil || !changed {
			return err
		}
	}
}

// keepHot makes rows hot again: children of hot rows, where they follow their parents; and if nothing may
// cross, every row that refers to the other side. Each has to become hot whatever else does, so the result is
// the largest cold set in which none is left.
func (d *decision) keepHot(nothingCrosses bool) error {
	for _, r := range d.relations {
		if r.follows() || nothingCrosses {
			if err := d.stay(r.child, "c", d.coldUnderHot(r), r); err != nil {
				return err
			}
		}
		if nothingCrosses {
			if err := d.stay(r.parent, "p", d.hotUnderCold(r), r); err != nil {
				return err
			}
		}
	}
	return d.spreadHot(nothingCrosses)
}

// spreadHot makes the marked rows hot, then those that follow them, or that would refer across, and so on.
func (d *decision) spreadHot(nothingCrosses bool) error {
	for {
		changed, err := d.advance(d.removeNext)
		if err != nil || !changed {
			return err
		}
		for _, r := range d.relations {
			if r.follows() || nothingCrosses {
				if err := d.stay(r.child, "c", r.childrenOf(d.sets[r.parent].last)+" AND "+d.isCold(r.child, "c"), r); err != nil {
					return err
				}
			}
			if nothingCrosses {
				if err := d.stay(r.parent, "p", r.parentsOf(d.sets[r.child].last)+" AND "+d.isCold(r.parent, "p"), r); err != nil {
					return err
				}
			}
		}
	}
}

// removeNext takes the marked rows out of the cold ones.
func (d *decision) removeNext(t *table) error {
	set := d.sets[t]
	if t.Kind == sqlitefile.RowidTable {
		return d.deleteEach(set.cold, "c.k0", "SELECT k0 FROM "+set.next)
	}
	var terms []string
	for i := range t.Key {
		terms = append(terms, fmt.Sprintf("n.k%d = +c.k%d", i, i))
	}
	return d.conn.Exec(
		"DELETE FROM " + set.cold + " AS c WHERE EXISTS (SELECT 1 FROM " + set.next + " AS n WHERE " + strings.Join(
			terms,
			" AND ",
		) + ")",
	)
}

// deleteEach deletes by rowid, one after the other: for a DELETE with a subquery SQLite keeps all of them in
// memory. (For tables WITHOUT ROWID it does not.)
func (d *decision) deleteEach(from, rowid, rowids string) error {
	remove, err := d.conn.Prepare("DELETE FROM " + from + " AS c WHERE " + rowid + " = ?")
	if err != nil {
		return err
	}
	defer remove.Close()
	key := make([]wire.Value, 1)
	return d.conn.Query(rowids, nil, func(s *capi.Stmt) error {
		s.Row(key)
		if err := remove.Bind(key, capi.UTF8); err != nil {
			return err
		}
		return remove.Run()
	})
}

// mark adds rows of t to the next step: those that are alias in the join.
func (d *decision) mark(t *table, alias, join string) error {
	return d.conn.Exec(
		"INSERT OR IGNORE INTO " + d.sets[t].next + " SELECT " + strings.Join(t.keyOf(alias), ", ") + join,
	)
}

// advance applies what was marked and makes it the last step; changed says whether there was any.
func (d *decision) advance(apply func(*table) error) (changed bool, err error) {
	for _, t := range d.shape.tables {
		set := d.sets[t]
		if err := d.conn.Exec("DELETE FROM " + set.last); err != nil {
			return false, err
		}
		some, err := number(d.conn, "SELECT EXISTS (SELECT 1 FROM "+set.next+")")
		if err != nil {
			return false, err
		}
		if some == 0 {
			continue
		}
		changed = true
		if err := apply(t); err != nil {
			return false, err
		}
		if err := execAll(d.conn, "INSERT INTO "+set.last+" SELECT * FROM "+set.next, "DELETE FROM "+set.next); err != nil {
			return false, err
		}
	}
	return changed, nil
}
