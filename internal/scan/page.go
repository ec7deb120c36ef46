package scan

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/htmlreport"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// pageRows is how many users a table of the page shows; a page of a hundred thousand would show nothing.
const pageRows = 20

// WritePage writes the report as a page that needs no network.
func (r *Report) WritePage(path, bucket, version string) error {
	t := &r.Totals
	reasons := r.reasonTable()
	page := htmlreport.Page{
		Bucket: bucket, When: r.At.Format("2 January 2006, 15:04 MST"), Version: version, Threshold: units.FormatSize(t.Threshold),
		Recommendation: r.Recommendation(),
		Tiles: []htmlreport.Tile{
			{Label: "Users", Value: units.FormatInteger(int64(t.Users)), Note: units.FormatSize(t.Bytes)},
			{
				Label: "Should move",
				Value: units.FormatInteger(int64(t.Migrate)),
				Note:  units.FormatSize(t.MigrateBytes),
			},
			{
				Label: "From " + units.FormatSize(NoteFrom),
				Value: units.FormatInteger(int64(t.Note)),
				Note:  "worth watching",
			},
			{Label: "Cannot move", Value: r.blockedTile(), Note: r.blockedWhere(), Bad: t.Blocked > 0},
			{
				Label: "Moved already",
				Value: units.FormatInteger(int64(t.Migrated)),
				Note:  "in Durable Objects",
			},
		},
		Times: r.times(), Loads: r.loads(),
		Cost: r.Cost.facts(), Benefit: r.benefits(), Formula: costFormula, Assumptions: r.Cost.assumptions(),
		BlockedNote: r.blockedSentence(), Reasons: reasons,
		Sizes: r.sizeClasses(), Growth: r.growthPicture(),
		Crossing: r.picture.soonest.
			table([]string{"User", "Size", "A week", "Crosses in"}, func(l *User) []string {
				return []string{string(l.User), units.FormatSize(l.Bytes), l.Growth(), l.Crosses()}
			}),
		Blocked: r.picture.blocked.table([]string{"User", "Size", "Why"}, func(l *User) []string {
			return []string{string(l.User), units.FormatSize(l.Bytes), strings.Join(l.Blocked, "; ")}
		}),
		Moves: r.picture.moves.table([]string{"User", "Size", "A week", "A month"}, func(l *User) []string {
			return []string{string(l.User), units.FormatSize(l.Bytes), l.Growth(), l.Monthly()}
		}),
	}
	if err := htmlreport.WriteFile(path, page); err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return userdb.UsageError(
			"write the report",
			path,
			err.Error(),
			"name a file in a folder that exists and can be written",
		)
	}
	return nil
}

func (r *Report) blockedTile() string {
	switch {
	case !r.Deep:
		return "?"
	case r.Sample > 0:
		return fmt.Sprintf("%d of %d", r.Totals.Blocked, r.picture.read)
	}
	return units.FormatInteger(int64(r.Totals.Blocked))
}

func (r *Report) blockedWhere() string {
	switch {
	case !r.Deep:
		return "scan --deep tells"
	case r.Sample > 0:
		return "read, a sample of " + selection.FormatPercent(r.Sample)
	}
	return "and stay in R2"
}

func (r *Report) blockedSentence() string {
	n, read := r.Totals.Blocked, r.picture.read
	switch {
	case !r.Deep:
		return "Not known: this scan read no file. Run dbmigrate scan --deep to read them all, or --deep 5% for a sample."
	case read == 0:
		return "No file was in R2 to be read."
	case r.Sample > 0:
		return fmt.Sprintf("%s of the files were read, which are %s. Of these, %d cannot move.",
			selection.FormatPercent(r.Sample), units.Plural(read, "file"), n)
	case n == 0:
		return "Every file in R2 was read: Durable Objects can hold all of them exactly."
	}
	return "A Durable Object could not hold these databases exactly. They stay in R2, untouched, until the cause is gone."
}

// table shows the users.
func (t *top) table(heads []string, row func(*User) []string) htmlreport.Table {
	table := htmlreport.Table{Heads: heads, Left: t.left}
	for i := range t.users {
		table.Rows = append(table.Rows, row(&t.users[i]))
	}
	return dropEmptyColumns(table)
}

func dropEmptyColumns(t htmlreport.Table) htmlreport.Table {
	for c := len(t.Heads) - 1; c >= 0; c-- {
		filled := false
		for _, row := range t.Rows {
			filled = filled || row[c] != ""
		}
		if filled || len(t.Rows) == 0 {
			continue
		}
		t.Heads = append(t.Heads[:c:c], t.Heads[c+1:]...)
		for i, row := range t.Rows {
			t.Rows[i] = append(row[:c:c], row[c+1:]...)
		}
	}
	return t
}

// classBorders part the sizes; the threshold is one more.
var classBorders = []int64{
	10 * units.KB,
	100 * units.KB,
	NoteFrom,
	units.MB,
	5 * units.MB,
	20 * units.MB,
	100 * units.MB,
	units.GB,
}

func bordersWith(threshold int64) []int64 {
	var borders []int64
	for _, b := range classBorders {
		if threshold < b && (len(borders) == 0 || borders[len(borders)-1] < threshold) {
			borders = append(borders, threshold)
		}
		borders = append(borders, b)
	}
	if borders[len(borders)-1] < threshold {
		borders = append(borders, threshold)
	}
	return borders
}

// sizeClasses counts the files that are in R2; classes above the largest are left out.
func (r *Report) sizeClasses() []htmlreport.Bar {
	borders, users, bytes := r.picture.borders, r.picture.classUsers, r.picture.classBytes
	most := 0
	for class, n := range users {
		if n > 0 {
			most = class
		}
	}
	var bars []htmlreport.Bar
	for class := 0; class <= most; class++ {
		from := int64(0)
		if class > 0 {
			from = borders[class-1]
		}
		bars = append(
			bars,
			htmlreport.Bar{
				Label: classLabel(borders, class),
				Users: users[class],
				Size:  units.FormatSize(bytes[class]),
				Over:  from >= r.Totals.Threshold,
				Line:  lineAt(from, r.Totals.Threshold),
			},
		)
	}
	return bars
}

// classLabel names a class of sizes.
func classLabel(borders []int64, class int) string {
	switch class {
	case 0:
		return "under " + units.FormatSize(borders[0])
	case len(borders):
		return "from " + units.FormatSize(borders[class-1])
	}
	return units.FormatSize(borders[class-1]) + " to " + units.FormatSize(borders[class])
}

// lineAt is the threshold, above the first class that has reached it.
func lineAt(from, threshold int64) string {
	if from != threshold || from == 0 {
		return ""
	}
	return units.FormatSize(threshold)
}

func (r *Report) growthPicture() htmlreport.Growth {
	sentence := r.trend.sentence(r.Totals.Threshold)
	if sentence == "" {
		return htmlreport.Growth{}
	}
	points := r.trend.points
	first, last := points[0], points[len(points)-1]
	least, most := first.Bytes, int64(1)
	for _, p := range points {
		least, most = min(least, p.Bytes), max(most, p.Bytes)
	}
	g := htmlreport.Growth{
		Sentence: capital(sentence[len("growth: "):]) + ".",
		First:    dayOf(first.At),
		Last:     dayOf(last.At),
		Least:    units.FormatSize(least),
		Most:     units.FormatSize(most),
	}
	for _, p := range points {
		g.Points = append(g.Points, htmlreport.Point{
			X: float64(p.At.Sub(first.At)) / float64(last.At.Sub(first.At)),
			Y: float64(p.Bytes) / float64(most),
		})
	}
	return g
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func dayOf(t time.Time) string { return t.Format("2 January 2006") }

// facts are the costs for the page.
func (c *FleetCost) facts() []htmlreport.Fact {
	if c.Users == 0 {
		return nil
	}
	facts := []htmlreport.Fact{
		{
			Name:  "Once",
			Value: orLittle(c.Once, cost.FormatRange),
			Note:  capital(c.rowsText()) + " written are nearly all of it. The lower end is with all that the plan includes still free.",
		},
		{
			Name:  "Storage, a month",
			Value: orLittle([2]float64{c.Storage, c.Storage}, cost.FormatChanges),
			Note: fmt.Sprintf(
				"%s in Durable Objects instead of R2, once gc has freed the files",
				units.FormatSize(c.Bytes),
			),
		},
	}
	if c.Monthly == nil {
		return append(facts, htmlreport.Fact{Name: "Requests, a month", Value: cost.FormatChanges(c.PerMillion[0], c.PerMillion[1]) + " a million",
			Note: "From all of them writing to all of them reading. How much the application is used is not known: --requests-per-day and --writes-share make it a figure."})
	}
	return append(facts, htmlreport.Fact{
		Name:  "All, a month",
		Value: cost.FormatChanges(c.Monthly[0], c.Monthly[1]),
		Note:  capital(c.monthText()) + ".",
	})
}
