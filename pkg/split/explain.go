package split

import (
	"fmt"
	"slices"
	"strings"
)

// Why a row that is meant to be cold stays hot, promised in docs/scripting.md.
const (
	StayRefersToHot   = "refers-to-hot"
	StayReferredByHot = "referred-by-hot"
	StayAsked         = "asked" // the application asked for it
)

// Stay says why rows that are meant to be cold stay hot. Each row is counted once, under the first reason
// that keeps it hot.
type Stay struct {
	Rows int64  `json:"rows"`
	Why  string `json:"why"`
	// Columns are those of the foreign key, and Table is the other table of it.
	Columns []string `json:"columns,omitempty"`
	Table   string   `json:"table,omitempty"`
	// Setting is what of the policy would change it.
	Setting string `json:"setting,omitempty"`
}

// String says how many rows stay, why, and what would change it.
func (s Stay) String() string {
	text := fmt.Sprintf("%d stay hot: ", s.Rows)
	if s.Rows == 1 {
		text = "1 stays hot: "
	}
	columns := strings.Join(s.Columns, ", ")
	switch {
	case s.Why == StayAsked:
		text += "the application asked for them"
	case s.Why == StayReferredByHot:
		text += fmt.Sprintf("hot %s refer to them by %s", s.Table, columns)
	case len(s.Columns) == 1:
		text += fmt.Sprintf("%s refers to hot %s", columns, s.Table)
	default:
		text += fmt.Sprintf("%s refer to hot %s", columns, s.Table)
	}
	if s.Setting != "" {
		text += " (" + s.Setting + ")"
	}
	return text
}

// Explain says of a table how many rows the policy means, and how many of them stay hot and why; "" where no
// row is meant.
func (t TablePlan) Explain() string {
	if t.Meant == 0 {
		return ""
	}
	var said []string
	if t.Matched > 0 {
		said = append(said, counted(t.Matched, "row matches", "rows match"))
	}
	if follow := t.Meant - t.Matched; follow > 0 {
		said = append(said, counted(follow, "row follows cold rows", "rows follow cold rows"))
	}
	for _, s := range t.Stay {
		said = append(said, s.String())
	}
	return t.Name + ": " + strings.Join(said, "; ")
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// Explain says of each table with rows that stay hot why they do; "" where every row moves that is meant.
func (p *Plan) Explain() string {
	var lines []string
	for _, t := range p.Tables {
		if len(t.Stay) > 0 {
			lines = append(lines, t.Explain())
		}
	}
	return strings.Join(lines, "; ")
}

// Add counts the rows of another user's table of the same name.
func (t *TablePlan) Add(other TablePlan) {
	t.Matched += other.Matched
	t.Meant += other.Meant
	t.ColdRows += other.ColdRows
	t.HotRows += other.HotRows
	t.ColdBytes += other.ColdBytes
	for _, s := range other.Stay {
		t.addStay(s)
	}
}

func (t *TablePlan) addStay(s Stay) {
	i := slices.IndexFunc(t.Stay, func(known Stay) bool {
		return known.Why == s.Why && known.Table == s.Table && slices.Equal(known.Columns, s.Columns)
	})
	if i < 0 {
		t.Stay = append(t.Stay, s)
		return
	}
	t.Stay[i].Rows += s.Rows
}

// countMeant notes how many rows are meant to be cold, before any of them turns out to be needed by a hot
// one.
func (d *decision) countMeant() (err error) {
	for _, t := range d.shape.tables {
		a := d.accounts[t]
		if a.Matched, err = number(d.conn, "SELECT count(*) FROM "+d.sets[t].own); err != nil {
			return err
		}
		if a.Meant, err = d.coldRows(t); err != nil {
			return err
		}
	}
	return nil
}

// stay marks cold rows that have to become hot, and notes the relation that keeps them; nil stands for rows
// that somebody asked for.
func (d *decision) stay(t *table, alias, join string, r *relation) error {
	if err := d.mark(t, alias, join); err != nil {
		return err
	}
	rows, err := number(d.conn, "SELECT changes()")
	if err != nil || rows == 0 {
		return err
	}
	reason := d.reason(t, alias, r)
	reason.Rows = rows
	d.accounts[t].addStay(reason)
	return nil
}

// reason says why row alias of a relation stays hot.
func (d *decision) reason(t *table, alias string, r *relation) Stay {
	switch {
	case r == nil:
		return Stay{Why: StayAsked}
	case alias == "c":
		return Stay{
			Why:     StayRefersToHot,
			Columns: r.childColumns,
			Table:   r.parent.Name,
			Setting: d.settingFor(r),
		}
	}
	s := Stay{Why: StayReferredByHot, Columns: r.childColumns, Table: r.child.Name}
	if r.child != t && r.child.rule.Where != "" {
		s.Setting = fmt.Sprintf("the where of %s decides", r.child.Name)
	}
	return s
}

// settingFor is the setting that would let children of hot rows be cold, "" where that of another table
// would.
func (d *decision) settingFor(r *relation) string {
	switch {
	case r.parent == r.child:
		return fmt.Sprintf("the where of %s decides", r.parent.Name)
	case r.parent.rule.Where != "":
		return fmt.Sprintf("the where of %s decides, or reference = [%q] in place of it", r.parent.Name, r.parent.Name)
	case d.mayBeCold(r.parent, nil):
		return ""
	}
	return fmt.Sprintf("reference = [%q] copies it into both halves", r.parent.Name)
}

// mayBeCold says whether a rule can make rows of the table cold: its own, or that of a table that they
// follow.
func (d *decision) mayBeCold(t *table, seen []*table) bool {
	if t.rule.Where != "" {
		return true
	}
	if slices.Contains(seen, t) {
		return false
	}
	return slices.ContainsFunc(d.relations, func(r *relation) bool {
		return r.child == t && r.follows() && d.mayBeCold(r.parent, append(seen, t))
	})
}

// refuseStranded refuses, where references may not cross, rows that their own rule calls cold and that refer
// to a table that no rule makes cold: they could never move, and nothing would say so.
func (d *decision) refuseStranded(stayHot bool) error {
	if stayHot {
		return nil
	}
	for _, r := range d.relations {
		if !r.follows() || d.mayBeCold(r.parent, nil) {
			continue
		}
		own := " AND EXISTS (SELECT 1 FROM " + d.sets[r.child].own + " AS k WHERE " + r.child.matches("c") + ")"
		hint := d.settingFor(r) + `; or keep these rows hot with crossing = "stay-hot"`
		if err := d.refuseCrossing(r, d.coldUnderHot(r)+own, coldToHot, hint); err != nil {
			return err
		}
	}
	return nil
}
