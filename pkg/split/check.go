package split

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
)

// check refuses what cannot be split safely.
func (d *decision) check() error {
	for _, r := range d.relations {
		if err := d.checkCrossing(r); err != nil {
			return err
		}
	}
	for _, t := range d.shape.tables {
		if err := cmp.Or(d.checkNumbers(t), d.checkTriggers(t)); err != nil {
			return err
		}
	}
	return d.checkIndexes()
}

const (
	coldToHot = "cold rows refer to hot rows of"
	hotToCold = "hot rows refer to cold rows of"
)

// checkCrossing refuses references between the two sides.
func (d *decision) checkCrossing(r *relation) error {
	const hint = `change the rules so that both go together, or keep them all hot with crossing = "stay-hot"`
	return cmp.Or(
		d.refuseCrossing(r, d.coldUnderHot(r), coldToHot, hint),
		d.refuseCrossing(r, d.hotUnderCold(r), hotToCold, hint),
	)
}

// refuseCrossing names the rows of a join, if there are any.
func (d *decision) refuseCrossing(r *relation, join, words, hint string) error {
	rows, err := show(
		d.conn,
		"SELECT "+r.child.quotedKey("c")+" || ' to ' || "+r.parent.quotedKey("p"),
		join,
	)
	if err != nil || rows == "" {
		return err
	}
	return blocked(
		r.child.Name,
		hint,
		"%s %s (%s): %s",
		words,
		r.parent.Name,
		strings.Join(r.childColumns, ", "),
		rows,
	)
}

// show lists the first rows of a query, each one text, and says how many more there are; "" for none.
func show(conn *capi.Conn, query, from string) (string, error) {
	var rows []string
	err := conn.Query(fmt.Sprintf("%s%s LIMIT %d", query, from, shownRows), nil, func(s *capi.Stmt) error {
		rows = append(rows, s.Text(0))
		return nil
	})
	if err != nil || len(rows) == 0 {
		return "", err
	}
	listed := strings.Join(rows, "; ")
	if len(rows) < shownRows {
		return listed, nil
	}
	count, err := number(conn, "SELECT count(*)"+from)
	if more := count - shownRows; more > 0 {
		listed += fmt.Sprintf("; and %d more", more)
	}
	return listed, err
}

// checkNumbers refuses cold rows in a table if SQLite would give out their numbers again: to it only the hot
// file's highest number counts.
func (d *decision) checkNumbers(t *table) error {
	if !t.numbered() || t.rule.ApplicationIDs {
		return nil
	}
	cold, err := d.coldRows(t)
	if err != nil || cold == 0 {
		return err
	}
	return blocked(
		t.Name,
		`if the application always chooses them itself, say ids = "application" for the table in the policy; else declare the column AUTOINCREMENT`,
		"%d rows are cold, and SQLite would give new rows their numbers again: %s is an INTEGER PRIMARY KEY without AUTOINCREMENT",
		cold,
		t.Key[0].Name,
	)
}

// checkIndexes refuses cold rows in the content of a full-text table: its index would have to be split with
// it.
func (d *decision) checkIndexes() error {
	names, content := d.shape.externalIndexes()
	for i, name := range names {
		under, err := d.shape.tablesUnder(d.conn, content[i])
		if err != nil {
			return blocked(
				name,
				hintPolicy,
				"the full-text table's content %s cannot be read: %s",
				content[i],
				capi.Message(err),
			)
		}
		for _, t := range under {
			cold, err := d.coldRows(t)
			if err != nil {
				return err
			}
			if cold > 0 {
				return blocked(
					t.Name,
					"keep the table hot, or make the full-text table one with content of its own",
					"%d rows are cold, and the table is the content of the full-text table %s",
					cold,
					name,
				)
			}
		}
	}
	return nil
}

func (d *decision) coldRows(t *table) (int64, error) {
	return number(d.conn, "SELECT count(*) FROM "+d.sets[t].cold)
}
