package split

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
)

// Propose writes a first policy for the database file at path, as TOML with comments: from its schema, and
// from the ages of its rows at that moment. A person has to read it: what is old is not always what nobody
// changes.
func Propose(ctx context.Context, path string, at time.Time) (string, error) {
	p := &proposal{at: at, where: map[*table]string{}, from: map[*table]*table{}}
	err := p.make(ctx, path)
	if err != nil {
		return "", fail("propose a policy for", path, err)
	}
	return p.text(ctx, path), nil
}

// proposal is a policy in the making.
type proposal struct {
	at        time.Time
	shape     *shape
	relations []*relation
	rows      map[*table]int64
	where     map[*table]string // tables with a rule
	from      map[*table]*table // tables that follow another one
	reference []*table
	triggers  map[*table]string // one trigger of each table that has some
}

func (p *proposal) make(ctx context.Context, path string) (err error) {
	if p.shape, err = readShape(ctx, path); err != nil {
		return err
	}
	conn, err := capi.Open(path, capi.Snapshot)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer conn.Watch(ctx)()
	if err := p.shape.readPrimaryKeys(conn); err != nil {
		return err
	}
	if p.relations, err = p.shape.readRelations(conn); err != nil {
		return err
	}
	if err := p.lookAtTables(conn); err != nil {
		return err
	}
	p.chooseParents()
	p.takeFollowers()
	p.copyOtherParents()
	return nil
}

// lookAtTables counts rows and finds the rules that the columns suggest.
func (p *proposal) lookAtTables(conn *capi.Conn) (err error) {
	p.rows, p.triggers = map[*table]int64{}, map[*table]string{}
	for _, t := range p.shape.tables {
		if p.rows[t], err = number(conn, "SELECT count(*) FROM "+t.main()); err != nil {
			return err
		}
		rule, err := p.suggestRule(conn, t)
		if err != nil {
			return err
		}
		if rule != "" {
			p.where[t] = rule
		}
		triggers, err := p.shape.triggersOf(conn, t)
		if err != nil {
			return err
		}
		if len(triggers) > 0 {
			p.triggers[t] = triggers[0].Name
		}
	}
	return nil
}

// copiedShare is how much smaller a table has to be than one that refers to it to be copied rather than
// divided.
const copiedShare = 4

// chooseParents decides for each pair of tables that both have ages: a small parent, such as customers,
// becomes a reference table. Otherwise the child goes where the parent goes, and needs no rule of its own.
func (p *proposal) chooseParents() {
	for _, r := range p.relations {
		if p.where[r.child] != "" && p.where[r.parent] != "" && r.child != r.parent &&
			p.rows[r.parent]*copiedShare <= p.rows[r.child] {
			p.copy(r.parent)
		}
	}
	for _, r := range p.relations {
		if p.where[r.child] != "" && p.where[r.parent] != "" && r.child != r.parent && !p.leadsTo(r.parent, r.child) {
			delete(p.where, r.child)
		}
	}
}

// leadsTo says whether a row of one table can refer, over others, to one of another table.
func (p *proposal) leadsTo(from, to *table) bool {
	reached := []*table{from}
	for i := 0; i < len(reached); i++ {
		for _, r := range p.relations {
			if r.child != reached[i] || slices.Contains(reached, r.parent) {
				continue
			}
			if r.parent == to {
				return true
			}
			reached = append(reached, r.parent)
		}
	}
	return false
}

func (p *proposal) copy(t *table) {
	delete(p.where, t)
	if !slices.Contains(p.reference, t) {
		p.reference = append(p.reference, t)
	}
}

// takeFollowers finds the tables that go where their parents go.
func (p *proposal) takeFollowers() {
	for changed := true; changed; {
		changed = false
		for _, r := range p.relations {
			moves := p.where[r.parent] != "" || p.from[r.parent] != nil
			if !moves || p.where[r.child] != "" || p.from[r.child] != nil || slices.Contains(p.reference, r.child) {
				continue
			}
			p.from[r.child], changed = r.parent, true
		}
	}
}

// copyOtherParents makes reference tables of all other tables to which rows refer that may move, and of those
// to which these refer.
func (p *proposal) copyOtherParents() {
	for changed := true; changed; {
		changed = false
		for _, r := range p.relations {
			moves := p.where[r.child] != "" || p.from[r.child] != nil || slices.Contains(p.reference, r.child)
			stays := p.where[r.parent] == "" && p.from[r.parent] == nil && !slices.Contains(p.reference, r.parent)
			if moves && stays {
				p.copy(r.parent)
				changed = true
			}
		}
	}
}

// The names by which applications say when something happened, and that it is over.
var (
	overName = regexp.MustCompile(`(?i)(archiv|delet|clos|complet|finish|ended|done|cancel|resolv|settled)`)
	ageName  = regexp.MustCompile(`(?i)(^|_)(at|on|date|day|time|ts|timestamp|created|updated|modified|placed|sent|received|last|when|start|end)($|_)|([a-z](At|On|Date|Time)$)`)
	lastName = regexp.MustCompile(`(?i)(updat|modif|chang|last)`)
)

// age is what a column says about when.
type age struct {
	column string
	limit  func(days int) string // an expression: values below are older than that
	rank   int                   // the lower the better
	gaps   bool                  // some rows have none
}

// oldDays are the ages that a proposal tries, until at least one row of coldShare is older.
var oldDays = []int{365, 180, 90, 30}

const coldShare = 10

// suggestRule proposes a rule for a table, "" where nothing of it says how old its rows are.
func (p *proposal) suggestRule(conn *capi.Conn, t *table) (string, error) {
	var ages []age
	over := ""
	for _, c := range t.Columns {
		if slices.ContainsFunc(t.primary, func(name string) bool { return name == c.Name }) {
			continue
		}
		if overName.MatchString(c.Name) {
			flag, err := isFlag(conn, t, c.Name)
			if err != nil {
				return "", err
			}
			if flag && over == "" {
				over = plainName(c.Name)
				continue
			}
		}
		if !ageName.MatchString(c.Name) && !overName.MatchString(c.Name) {
			continue
		}
		found, err := readAge(conn, t, c.Name)
		if err != nil {
			return "", err
		}
		if found != nil {
			ages = append(ages, *found)
		}
	}
	if len(ages) == 0 {
		return "", nil
	}
	best := slices.MinFunc(ages, func(a, b age) int { return cmp.Compare(a.rank, b.rank) })
	for _, days := range oldDays {
		rule := best.rule(over, days)
		old, err := number(conn, "SELECT count(*) FROM "+t.main()+" WHERE ("+bindMoment(rule, p.at)+")")
		if err != nil || old > 0 && old*coldShare >= p.rows[t] {
			return rule, err
		}
	}
	return best.rule(over, oldDays[0]), nil
}

func (a age) rule(over string, days int) string {
	rule := a.column + " < " + a.limit(days)
	if a.gaps {
		rule = a.column + " IS NOT NULL AND " + rule
	}
	if over != "" {
		rule = over + " AND " + rule
	}
	return rule
}

// isFlag says whether a column has only 0 and 1, and both of them.
func isFlag(conn *capi.Conn, t *table, column string) (bool, error) {
	c := sqltext.Quote(column)
	n, err := number(
		conn,
		"SELECT count(DISTINCT "+c+") = 2 AND min("+c+") = 0 AND max("+c+") = 1 AND min(typeof("+c+")) = 'integer' FROM "+t.main(),
	)
	return n == 1, err
}

// readAge says how a column tells times, nil where it tells none.
func readAge(conn *capi.Conn, t *table, column string) (found *age, err error) {
	const isDate = "%[1]s GLOB '[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'"
	sql := fmt.Sprintf(
		"SELECT count(*), count(%[1]s), coalesce(sum(typeof(%[1]s) IN ('integer', 'real')), 0), "+
			"coalesce(sum(typeof(%[1]s) = 'text' AND "+isDate+"), 0), "+
			"CAST(coalesce(min(CASE WHEN typeof(%[1]s) IN ('integer', 'real') THEN %[1]s END), 0) AS INTEGER), "+
			"CAST(coalesce(max(CASE WHEN typeof(%[1]s) IN ('integer', 'real') THEN %[1]s END), 0) AS INTEGER), "+
			"coalesce(max(length(%[1]s)), 0), coalesce(sum(%[1]s GLOB '????-??-??T*'), 0) FROM ",
		sqltext.Quote(column),
	)
	err = conn.Query(sql+t.main(), nil, func(s *capi.Stmt) error {
		rows, values, numbers, texts := s.Int(0), s.Int(1), s.Int(2), s.Int(3)
		a := age{column: plainName(column), rank: 2, gaps: values < rows}
		switch {
		case overName.MatchString(column):
			a.rank = 0
		case lastName.MatchString(column):
			a.rank = 1
		}
		switch {
		case values > 0 && numbers == values:
			a.limit = numberLimit(s.Int(4), s.Int(5))
		case values > 0 && texts == values:
			a.limit = textLimit(s.Int(6) == int64(len(time.DateOnly)), s.Int(7) > 0)
		}
		if a.limit != nil {
			found = &a
		}
		return nil
	})
	return found, err
}

// numberLimit takes a column for one of seconds, milliseconds or microseconds if its values lie in 1990 to
// 2100.
func numberLimit(least, most int64) func(days int) string {
	const from, until = 631_152_000, 4_102_444_800
	for _, unit := range []struct {
		factor int64
		text   string
	}{{1, ""}, {1000, " * 1000"}, {1_000_000, " * 1000000"}} {
		if least >= from*unit.factor && most <= until*unit.factor {
			format := "(:now - %d * 86400)" + unit.text
			if unit.text == "" {
				format = ":now - %d * 86400"
			}
			return func(days int) string { return fmt.Sprintf(format, days) }
		}
	}
	return nil
}

func textLimit(date, withT bool) func(days int) string {
	format := "datetime(:now - %d * 86400, 'unixepoch')"
	switch {
	case date:
		format = "date(:today, '-%d days')"
	case withT:
		format = "strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', :now - %d * 86400, 'unixepoch')"
	}
	return func(days int) string { return fmt.Sprintf(format, days) }
}

var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// plainName is a column's name as it stands in an expression, in quotes only where it needs them.
func plainName(name string) string {
	if plain.MatchString(name) && !reserved[sqltext.Fold(name)] {
		return name
	}
	return sqltext.Quote(name)
}

// reserved are the keywords that columns of applications are called by most.
var reserved = wordSet("order group index table values check default from to when where select limit end transaction references primary unique on in is as")

// text writes the policy.
func (p *proposal) text(ctx context.Context, path string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# A first policy, written by "dbmigrate scan --policy init" from the schema and the ages of one user's rows on %s.
# Read each rule: cold must be what the application no longer changes (docs/split.md).
# "dbmigrate scan --policy FILE" says what would move, what stays hot, and why.
crossing = "stay-hot"
`, p.at.UTC().Format(time.DateOnly))
	if len(p.reference) > 0 {
		b.WriteString("\n# Rows to which others refer. They stay hot, and the cold half has a copy that is read-only.\n")
		var names []string
		for _, t := range p.reference {
			names = append(names, tomlText(t.Name))
			fmt.Fprintf(&b, "# %s: %d rows\n", t.Name, p.rows[t])
		}
		fmt.Fprintf(&b, "reference = [%s]\n", strings.Join(names, ", "))
	}
	plan, err := p.plan(ctx, path)
	for _, t := range p.shape.tables {
		if p.where[t] != "" || p.from[t] != nil {
			p.writeTable(&b, t, plan)
		}
	}
	switch {
	case len(p.where) == 0:
		b.WriteString("\n# No column says how old the rows of a table are. Write a rule for a table with rows that are over:\n" +
			"# [tables.T]\n# where = \"status = 'done'\"\n")
	case err != nil:
		fmt.Fprintf(&b, "\n# By these rules the user would be refused: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return b.String()
}

func (p *proposal) writeTable(b *strings.Builder, t *table, plan *Plan) {
	fmt.Fprintf(b, "\n[tables.%s]\n", tomlKey(t.Name))
	if parent := p.from[t]; parent != nil {
		fmt.Fprintf(b, "# No where: its rows go where their %s go.\n", parent.Name)
	}
	if plan != nil {
		i := slices.IndexFunc(plan.Tables, func(planned TablePlan) bool { return planned.Name == t.Name })
		planned := plan.Tables[i]
		fmt.Fprintf(b, "# %d of %d rows would move.\n", planned.ColdRows, planned.ColdRows+planned.HotRows)
		for _, s := range planned.Stay {
			fmt.Fprintf(b, "# %s\n", s)
		}
	}
	if p.where[t] != "" {
		fmt.Fprintf(b, "where = %s\n", tomlText(p.where[t]))
	}
	if t.numbered() {
		b.WriteString("# SQLite numbers these rows. Say this if the application always chooses the number itself; else declare\n" +
			"# the column AUTOINCREMENT first.\n# ids = \"application\"\n")
	}
	if trigger := p.triggers[t]; trigger != "" {
		fmt.Fprintf(b, "# It has triggers (%s). Say this if they need no row of the other half.\n# triggers = \"accept\"\n", trigger)
	}
}

// plan says what would move if every promise were made that the comments ask for.
func (p *proposal) plan(ctx context.Context, path string) (*Plan, error) {
	if len(p.where) == 0 {
		return nil, nil
	}
	policy := &Policy{StayHot: true, Tables: map[string]TableRule{}}
	for _, t := range p.reference {
		policy.Reference = append(policy.Reference, t.Name)
	}
	for _, t := range p.shape.tables {
		if p.where[t] != "" || p.from[t] != nil {
			policy.Tables[t.Name] = TableRule{Where: p.where[t], ApplicationIDs: true, AcceptTriggers: true}
		}
	}
	return NewPlan(ctx, path, policy, p.at)
}

func tomlText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s) + `"`
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func tomlKey(s string) string {
	if bareKey.MatchString(s) {
		return s
	}
	return tomlText(s)
}
