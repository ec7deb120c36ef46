// Package verify compares two sides of a migration and names what differs. It works on digests first and
// transfers rows only where digests disagree.
package verify

import (
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Kind says in which way two sides differ.
type Kind string

// The kinds of differences, of databases and of rows.
const (
	Missing Kind = "missing" // the left side has it, the right one does not
	Extra   Kind = "extra"   // the right side has it, the left one does not
	Count   Kind = "count"   // tables of different numbers of rows
	Content Kind = "content" // tables of as many rows, or whole databases, with different digests
	Census  Kind = "census"  // tables with the same digest that hold something else: a reader is at fault
	Schema  Kind = "schema"  // header fields, CREATE texts, or the schema digests
	Value   Kind = "value"   // cells of one storage class
	Type    Kind = "type"    // cells of different storage classes
	Rowid   Kind = "rowid"   // a row with the same content under another rowid
)

// Difference is one thing in which two databases differ. Left and Right are for people: long texts are
// shortened.
type Difference struct {
	Kind   Kind   `json:"kind"`
	Object string `json:"object"` // table "games", index "by_date", header userVersion, schema, database
	Left   string `json:"left,omitempty"`
	Right  string `json:"right,omitempty"`
}

func (d Difference) String() string {
	switch d.Kind {
	case Missing:
		return d.Object + " is missing on the right: " + d.Left
	case Extra:
		return d.Object + " is extra on the right: " + d.Right
	case Census:
		return d.Object + " was read wrongly, since digests agree and plain scans do not: " + d.Left
	}
	return fmt.Sprintf("%s: %s against %s", d.Object, d.Left, d.Right)
}

// Databases compares two digests and returns nil only when they are equal. A table without rows counts as
// absent, as it does in the database digest: what is left of it stands in the schema.
func Databases(left, right wire.DatabaseDigest) []Difference {
	var out []Difference
	if left.Schema != right.Schema {
		out = append(out, Difference{Schema, "schema", digestText(left.Schema), digestText(right.Schema)})
	}
	out = append(out, tables(left.Tables, right.Tables)...)
	if len(out) == 0 && left.Database != right.Database {
		out = append(
			out,
			Difference{Content, "database", digestText(left.Database), digestText(right.Database)},
		)
	}
	return out
}

func tables(left, right []wire.TableDigest) []Difference {
	var out []Difference
	others := map[string]wire.TableDigest{}
	for _, t := range right {
		others[t.Name] = t
	}
	for _, l := range left {
		r, found := others[l.Name]
		delete(others, l.Name)
		if d, ok := table(l, r, found); ok {
			out = append(out, d)
		}
	}
	for _, r := range right { // in their order, which a map does not keep
		if _, ok := others[r.Name]; ok && r.Rows > 0 {
			out = append(out, Difference{Kind: Extra, Object: TableName(r.Name), Right: rowsText(r.Rows)})
		}
	}
	return out
}

func table(l, r wire.TableDigest, found bool) (Difference, bool) {
	object := TableName(l.Name)
	switch {
	case l.Rows == 0 && r.Rows == 0:
		return Difference{}, false
	case !found:
		return Difference{Kind: Missing, Object: object, Left: rowsText(l.Rows)}, true
	case l.Rows != r.Rows:
		return Difference{Count, object, rowsText(l.Rows), rowsText(r.Rows)}, true
	case l.Digest != r.Digest:
		return Difference{
			Content,
			object,
			rowsText(l.Rows) + " with " + digestText(l.Digest),
			rowsText(r.Rows) + " with " + digestText(r.Digest),
		}, true
	case l.Census.Difference(r.Census) != "":
		return Difference{Kind: Census, Object: object, Left: l.Census.Difference(r.Census)}, true
	}
	return Difference{}, false
}

// TableName is how Difference.Object names a table.
func TableName(name string) string { return fmt.Sprintf("table %.100q", name) }

func rowsText(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// digestText shortens a digest: 12 digits tell two of them apart for a reader.
func digestText(digest string) string { return fmt.Sprintf("digest %.12s", digest) }

// summaryDifferences is how many differences Summary spells out.
const summaryDifferences = 3

// Summary puts differences into one line: the first few, and how many more there are.
func Summary(diffs []Difference) string {
	lines := make([]string, len(diffs))
	for i, d := range diffs {
		lines[i] = d.String()
	}
	return SummaryOf(lines)
}

// SummaryOf is Summary of differences that are texts already.
func SummaryOf(diffs []string) string {
	if len(diffs) == 0 {
		return "no difference"
	}
	text := strings.Join(diffs[:min(len(diffs), summaryDifferences)], "; ")
	if more := len(diffs) - summaryDifferences; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
