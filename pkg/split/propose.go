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
	if len(p.shape.tables) == 0 {
		return blocked("", "name a user with tables", "no ordinary table has rows that could be cold")
	}
	p.chooseParents()
	p.takeFollowers()
	p.copyOtherParents()
	return nil
}

// ofMigrations are the tables in which frameworks note the migrations of the schema that have run: Rails,
// Django, Alembic, Flyway, Liquibase, Goose, Prisma, Drizzle, Knex, Sequelize, Entity Framework and others.
// They read all rows at each start, however old.
var ofMigrations = regexp.MustCompile(
	`(?i)^(ar_internal_metadata|alembic_version|flyway_schema_history|databasechangelog(lock)?|goose_db_version|` +
		`sequelize_?meta|__efmigrations(history|lock)|_*((schema|django|knex|drizzle|prisma|sqlx|d1|kysely|doctrine|diesel_schema|` +
		`gorp|umzug|mikro_orm|typeorm)_)?migrations?(_lock|_versions)?)$`)

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
		if rule != "" && !ofMigrations.MatchString(t.Name) {
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
		p.writeEmpty(&b)
	case err != nil:
		fmt.Fprintf(&b, "\n# By these rules the user would be refused: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return b.String()
}

// writeEmpty writes a rule by which no row is cold, so that the policy can be read, and says what to put
// there.
func (p *proposal) writeEmpty(b *strings.Builder) {
	largest := slices.MaxFunc(p.shape.tables, func(a, b *table) int { return cmp.Compare(p.rows[a], p.rows[b]) })
	fmt.Fprintf(b, "\n# No column says how old the rows of a table are, so no row is cold by this policy.\n"+
		"# Write a rule for a table with rows that are over, such as where = \"status = 'done'\".\n"+
		"[tables.%s]\nwhere = \"FALSE\"\n", tomlKey(largest.Name))
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
