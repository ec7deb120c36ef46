package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/htmlreport"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

// pageRows is how many users a table of the page shows; a page of a hundred thousand would show nothing.
const pageRows = 20

// writeReport writes the page.
func (s *survey) writeReport(path, bucket string) error {
	t := &s.totals
	page := htmlreport.Page{
		Bucket: bucket, When: s.at.Format("2 January 2006, 15:04 MST"), Version: version(), Threshold: units.FormatSize(t.Threshold),
		Tiles: []htmlreport.Tile{
			{Label: "Users", Value: formatInteger(int64(t.Users)), Note: units.FormatSize(t.Bytes)},
			{Label: "Should move", Value: formatInteger(int64(t.Migrate)), Note: units.FormatSize(t.MigrateBytes)},
			{Label: "From " + units.FormatSize(noteFrom), Value: formatInteger(int64(t.Note)), Note: "worth watching"},
			{Label: "Cannot move", Value: s.blockedText(), Note: s.blockedNote()},
			{Label: "Moved already", Value: formatInteger(int64(t.Migrated)), Note: "in Durable Objects"},
		},
		Sizes: s.sizeClasses(), Growth: s.growthPicture(),
		Crossing: s.soonest().usersWhere([]string{"User", "Size", "A week", "Crosses in"}, func(l *scanned) []string {
			if l.CrossesInDays == nil {
				return nil
			}
			return []string{string(l.User), units.FormatSize(l.Bytes), growthText(*l), crossesText(*l)}
		}),
		Blocked: s.usersWhere([]string{"User", "Size", "Why"}, func(l *scanned) []string {
			if len(l.Blocked) == 0 {
				return nil
			}
			return []string{string(l.User), units.FormatSize(l.Bytes), blockedText(*l)}
		}),
		Moves: s.usersWhere([]string{"User", "Size", "A week", "A month"}, func(l *scanned) []string {
			if l.Cost == nil {
				return nil
			}
			return []string{string(l.User), units.FormatSize(l.Bytes), growthText(*l), monthlyText(*l)}
		}),
		Cost: s.cost.facts(), Formula: costFormula, Assumptions: s.cost.assumptions(),
	}
	if err := htmlreport.WriteFile(path, page); err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return usageError("write the report", path, err.Error(), "name a file in a folder that exists and can be written")
	}
	return nil
}

func (s *survey) blockedText() string {
	if !s.deep {
		return "?"
	}
	return formatInteger(int64(s.totals.Blocked))
}

func (s *survey) blockedNote() string {
	if !s.deep {
		return "scan --deep tells"
	}
	return "and stay in R2"
}

// soonest is those who will cross the threshold, in that order.
func (s *survey) soonest() *survey {
	crossing := &survey{}
	for _, l := range s.lines {
		if l.CrossesInDays != nil {
			crossing.lines = append(crossing.lines, l)
		}
	}
	slices.SortStableFunc(crossing.lines, func(a, b scanned) int { return cmp.Compare(*a.CrossesInDays, *b.CrossesInDays) })
	return crossing
}

// usersWhere makes a table of the users for whom row gives one, largest first as the lines are.
func (s *survey) usersWhere(heads []string, row func(*scanned) []string) htmlreport.Table {
	table := htmlreport.Table{Heads: heads}
	for i := range s.lines {
		switch cells := row(&s.lines[i]); {
		case cells == nil:
		case len(table.Rows) < pageRows:
			table.Rows = append(table.Rows, cells)
		default:
			table.Left++
		}
	}
	return dropEmptyColumns(table)
}

func dropEmptyColumns(t htmlreport.Table) htmlreport.Table {
	for c := len(t.Heads) - 1; c >= 0; c-- {
		filled := false
		for _, r := range t.Rows {
			filled = filled || r[c] != ""
		}
		if filled || len(t.Rows) == 0 {
			continue
		}
		t.Heads = append(t.Heads[:c:c], t.Heads[c+1:]...)
		for i, r := range t.Rows {
			t.Rows[i] = append(r[:c:c], r[c+1:]...)
		}
	}
	return t
}

// classBorders part the sizes; the threshold is one more.
var classBorders = []int64{10 * units.KB, 100 * units.KB, noteFrom, units.MB, 5 * units.MB, 20 * units.MB, 100 * units.MB, units.GB}

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
func (s *survey) sizeClasses() []htmlreport.Bar {
	borders := bordersWith(s.totals.Threshold)
	users, bytes, most := make([]int, len(borders)+1), make([]int64, len(borders)+1), 0
	for i := range s.lines {
		l := &s.lines[i]
		if l.Place != migrate.PlaceR2 {
			continue
		}
		class := 0
		for class < len(borders) && l.Bytes >= borders[class] {
			class++
		}
		users[class]++
		bytes[class] += l.Bytes
		most = max(most, class)
	}
	var bars []htmlreport.Bar
	for class := 0; class <= most; class++ {
		from, label := int64(0), ""
		switch {
		case class == 0:
			label = "under " + units.FormatSize(borders[0])
		case class == len(borders):
			from, label = borders[class-1], "from "+units.FormatSize(borders[class-1])
		default:
			from, label = borders[class-1], units.FormatSize(borders[class-1])+" to "+units.FormatSize(borders[class])
		}
		bars = append(bars, htmlreport.Bar{Label: label, Users: users[class], Size: units.FormatSize(bytes[class]), Over: from >= s.totals.Threshold, First: from == s.totals.Threshold && from > 0})
	}
	return bars
}

func (s *survey) growthPicture() htmlreport.Growth {
	sentence := s.trend.sentence(s.totals.Threshold)
	if sentence == "" {
		return htmlreport.Growth{}
	}
	points := s.trend.points
	first, last := points[0], points[len(points)-1]
	least, most := first.Bytes, first.Bytes
	for _, p := range points {
		least, most = min(least, p.Bytes), max(most, p.Bytes)
	}
	g := htmlreport.Growth{Sentence: sentence[len("growth: "):] + ".", First: dayOf(first.At), Last: dayOf(last.At), Least: units.FormatSize(least), Most: units.FormatSize(most)}
	for _, p := range points {
		y := 0.5
		if most > least {
			y = float64(p.Bytes-least) / float64(most-least)
		}
		g.Points = append(g.Points, htmlreport.Point{X: float64(p.At.Sub(first.At)) / float64(last.At.Sub(first.At)), Y: y})
	}
	return g
}

func dayOf(t time.Time) string { return t.Format("2 January 2006") }

// facts are the costs for the page.
func (c *fleetCost) facts() []htmlreport.Fact {
	if c.Users == 0 {
		return nil
	}
	facts := []htmlreport.Fact{{Name: "Storage, a month", Value: signedUSD(c.Storage), Note: fmt.Sprintf("%s in Durable Objects instead of R2, once gc has freed the files", units.FormatSize(c.Bytes))}}
	if c.Monthly != nil {
		facts = append(facts, htmlreport.Fact{Name: "All, a month", Value: formatSignedRange(c.Monthly[0], c.Monthly[1]), Note: c.monthText()})
	} else {
		facts = append(facts, htmlreport.Fact{Name: "Requests, a month", Value: formatSignedRange(c.PerMillion[0], c.PerMillion[1]) + " a million",
			Note: "From all of them writing to all of them reading. How much the application is used is not known: --requests-per-day and --writes-share make it a figure."})
	}
	return append(facts, htmlreport.Fact{Name: "Once", Value: formatRange(c.Once[0], c.Once[1]), Note: "Nearly all of it " + c.rowsText() + " written. The lower end is with all that the plan includes still free."})
}

func formatSignedRange(low, high float64) string {
	if signedUSD(low) == signedUSD(high) {
		return signedUSD(low)
	}
	return signedUSD(low) + " to " + signedUSD(high)
}
