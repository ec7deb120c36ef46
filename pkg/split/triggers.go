package split

import (
	"fmt"
	"slices"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// checkTriggers refuses cold rows in a table with triggers, unless the policy accepts them: on either side a
// trigger sees the rows of that side only. One that leads to a virtual table is refused even then: that
// table's rows stay hot, and would no more belong to the row.
func (d *decision) checkTriggers(t *table) error {
	triggers, err := d.shape.triggersOf(d.conn, t)
	if err != nil || len(triggers) == 0 {
		return err
	}
	cold, err := d.coldRows(t)
	if err != nil || cold == 0 {
		return err
	}
	if trigger, virtual := d.shape.leadsToVirtual(triggers); virtual != "" {
		return blocked(
			t.Name,
			"keep the table hot, or let the application write the index: docs/split.md",
			"%d rows are cold, and its trigger %s leads to the virtual table %s, which has rows that stay hot",
			cold,
			trigger,
			virtual,
		)
	}
	if t.rule.AcceptTriggers {
		return nil
	}
	if trigger, target := d.shape.firstToWrite(triggers, func(t *table) bool { return t.copied }); target != nil {
		return blocked(
			t.Name,
			fmt.Sprintf(
				`if the application makes no cold write that fires it, say triggers = "accept" for the table in the policy: such a write is refused; else take %s out of reference`,
				target.Name,
			),
			"%d rows are cold, and its trigger %s writes to the reference table %s, and the cold part has a read-only copy of it",
			cold,
			trigger,
			target.Name,
		)
	}
	return blocked(
		t.Name,
		`if its triggers need no row of the other side, say triggers = "accept" for the table in the policy; else keep it hot`,
		"%d rows are cold, and it has the trigger %s, which would see the rows of one side only",
		cold,
		triggers[0].Name,
	)
}

// triggersOf are the triggers of a table and those of the views that read it.
func (s *shape) triggersOf(conn *capi.Conn, t *table) ([]wire.Object, error) {
	var list []wire.Object
	for _, o := range s.schema.Objects {
		if o.Type != "trigger" {
			continue
		}
		on := s.table(o.Table)
		if on == nil {
			under, err := s.tablesUnder(conn, o.Table)
			if err != nil {
				continue // a broken view's trigger cannot fire
			}
			if slices.Contains(under, t) {
				on = t
			}
		}
		if on == t {
			list = append(list, o)
		}
	}
	return list, nil
}

// leadsToVirtual looks for a virtual table that one of the triggers names. It follows the triggers of the
// tables and views that are named there, and so on. It returns the first trigger and that table's name, ""
// for none.
func (s *shape) leadsToVirtual(triggers []wire.Object) (trigger, virtual string) {
	for _, first := range triggers {
		reached := []wire.Object{first}
		for i := 0; i < len(reached); i++ {
			for _, token := range sqltext.All(reached[i].SQL) {
				name := sqltext.Fold(token.Unquote())
				for _, v := range s.schema.Virtual {
					if sqltext.Fold(v.Name) == name {
						return first.Name, v.Name
					}
				}
				for _, o := range s.schema.Objects {
					if o.Type == "trigger" && sqltext.Fold(o.Table) == name && !slices.Contains(reached, o) {
						reached = append(reached, o)
					}
				}
			}
		}
	}
	return "", ""
}
