package sqlitefile

import (
	"fmt"
	"math"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const (
	wayOutTooLarge = "store the value as an object of its own in R2 and keep its key in the row"
	wayOutChanges  = "rewrite the value with UPDATE, which stores it as the column asks"
	wayOutNotNull  = "give the column a value in these rows"
	wayOutStrict   = "write a value of the column's type"
)

// RowChecker looks at rows for what a Durable Object could not hold exactly. It can ride along with any
// reading of a table's rows.
type RowChecker struct {
	table    *Table
	rules    []cellRule
	maxBytes int
	findings []*Finding
	seen     map[findingKey]*Finding
}

// cellRule is what a cell must keep to.
type cellRule struct {
	affinity Affinity
	notNull  bool
	strict   bool
	strictly string // the declared type that a STRICT table enforces, "" for ANY
}

type findingKey struct {
	reason Reason
	cell   int
}

// NewRowChecker returns a checker for rows of t, their values in the order of t.Cells.
func NewRowChecker(t *Table, limits wire.Limits) *RowChecker {
	c := &RowChecker{table: t, maxBytes: int(limits.CellBytes), seen: map[findingKey]*Finding{}}
	for _, column := range t.cellColumns {
		c.rules = append(c.rules, t.rule(column))
	}
	return c
}

// rule is empty for the rowid, for virtual tables, which keep values as they are, and for generated columns,
// which are not inserted.
func (t *Table) rule(column int) cellRule {
	if column < 0 || t.Kind == VirtualTable || t.Columns[column].Generated != NotGenerated {
		return cellRule{}
	}
	c := t.Columns[column]
	rule := cellRule{affinity: c.Affinity, notNull: c.NotNull, strict: t.Strict}
	if declared := upperASCII(c.Declared); t.Strict && declared != "ANY" {
		rule.strictly = declared
	}
	return rule
}

// Check looks at one row and keeps nothing of it.
func (c *RowChecker) Check(row []wire.Value) {
	size := 9 // the record's own header
	for i := range row {
		v := &row[i]
		size += recordBytes(v)
		if reason := c.rules[i].broken(v); reason != "" {
			c.note(reason, i, row)
		}
	}
	if size > c.maxBytes {
		c.note(ReasonRowTooLarge, largestCell(row), row)
	}
}

// Findings returns what was found so far, one Finding for each reason and column, with the first row and the
// number of rows.
func (c *RowChecker) Findings() []Finding {
	findings := make([]Finding, len(c.findings))
	for i, f := range c.findings {
		findings[i] = *f
	}
	return findings
}

// Err returns the first thing found as a *userdb.Error of kind Blocked, nil if there is none.
func (c *RowChecker) Err() error {
	if len(c.findings) == 0 {
		return nil
	}
	return refuse("check table", c.table.Name, c.findings[0])
}

func (c *RowChecker) note(reason Reason, cell int, row []wire.Value) {
	key := findingKey{reason, cell}
	if f := c.seen[key]; f != nil {
		f.Count++
		return
	}
	f := &Finding{
		Level:  Blocked,
		Reason: reason,
		Object: c.table.Name,
		Column: c.table.Cells[cell],
		Key:    formatKey(c.table.KeyOf(row)),
		Count:  1,
	}
	switch v := &row[cell]; reason {
	case ReasonRowTooLarge:
		f.Detail = fmt.Sprintf(
			"the row is over %d bytes, %d of them in this column",
			c.maxBytes,
			len(v.Bytes),
		)
		f.WayOut = wayOutTooLarge
	case ReasonNotNull:
		f.Detail, f.WayOut = "NULL in a NOT NULL column", wayOutNotNull
	case ReasonStrictType:
		f.Detail = fmt.Sprintf(
			"%s %s in a STRICT column of type %s",
			className(v.Class),
			formatValue(v),
			c.rules[cell].strictly,
		)
		f.WayOut = wayOutStrict
	default:
		f.Detail = fmt.Sprintf(
			"%s %s, which the column's declared type would change on insert",
			className(v.Class),
			formatValue(v),
		)
		f.WayOut = wayOutChanges
	}
	c.seen[key] = f
	c.findings = append(c.findings, f)
}

// recordBytes bounds from above what a value takes in SQLite's record format.
func recordBytes(v *wire.Value) int {
	switch v.Class {
	case wire.Integer, wire.Real:
		return 1 + 8
	case wire.Text, wire.Blob:
		return 5 + len(v.Bytes)
	}
	return 1
}

func largestCell(row []wire.Value) int {
	largest := 0
	for i := range row {
		if len(row[i].Bytes) > len(row[largest].Bytes) {
			largest = i
		}
	}
	return largest
}

// broken says which reason speaks against the value, "" for none.
func (r *cellRule) broken(v *wire.Value) Reason {
	switch {
	case v.Class == wire.Null && r.notNull:
		return ReasonNotNull
	case r.strictly != "" && !strictlyFits(r.strictly, v.Class):
		return ReasonStrictType
	case r.changes(v):
		return ReasonValueChanges
	}
	return ""
}

func strictlyFits(declared string, class wire.StorageClass) bool {
	switch class {
	case wire.Integer:
		return declared == "INT" || declared == "INTEGER"
	case wire.Real:
		return declared == "REAL"
	case wire.Text:
		return declared == "TEXT"
	case wire.Blob:
		return declared == "BLOB"
	}
	return true
}

// changes says whether storing the value in a column of the rule's affinity gives another value. Such values
// exist where the declared type was changed after they were written.
func (r *cellRule) changes(v *wire.Value) bool {
	switch v.Class {
	case wire.Integer:
		return r.affinity == TextAffinity
	case wire.Real:
		return r.changesReal(v.Real)
	case wire.Text:
		return r.affinity >= NumericAffinity && looksNumeric(v.Bytes)
	}
	return false
}

func (r *cellRule) changesReal(x float64) bool {
	switch r.affinity {
	case TextAffinity:
		return true
	case IntegerAffinity, NumericAffinity:
		return becomesInteger(x)
	case RealAffinity:
		return x == 0 && math.Signbit(x) // it is kept as the integer 0, which has no sign
	}
	return false
}

// becomesInteger is SQLite's rule for REALs in INTEGER and NUMERIC columns: whole numbers, but neither the
// smallest nor the largest integer.
func becomesInteger(x float64) bool {
	const limit = 1 << 63
	if !(x > -limit && x < limit) {
		return false
	}
	return float64(int64(x)) == x
}
