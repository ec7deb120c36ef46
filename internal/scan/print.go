package scan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// Print shows a scan, and sums it up.
func (r *Report) Print(out *terminal.Output, top int) (*Totals, error) {
	sheet, totals := terminal.NewSheet(out, columnsUpTo(r.Totals.Largest)), r.Summary()
	sheet.Top = top
	if err := r.Each(func(u *User) error { return sheet.Add(*u) }); err != nil {
		return totals, err
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return totals, err
	}
	if left := sheet.Left(); left > 0 {
		out.Say("scan: %s more: leave --top out to see them", units.Plural(left, "user"))
	}
	out.Say(
		"scan: %s with %s; %d to migrate (from %s: %s), %d noted (from %s), %d migrated already%s",
		units.Plural(
			totals.Users,
			"user",
		),
		units.FormatSize(totals.Bytes),
		totals.Migrate,
		units.FormatSize(totals.Threshold),
		units.FormatSize(totals.MigrateBytes),
		totals.Note,
		units.FormatSize(NoteFrom),
		totals.Migrated,
		totals.More(),
	)
	if growth := r.Growth(); growth != "" {
		out.Say("%s", growth)
		if out.DrawsErr() {
			out.Say("        %s", terminal.Sparkline(r.trend.sizes(), trendCells))
		}
	}
	for _, sentence := range r.Cost.Sentences() {
		out.Say("%s", sentence)
	}
	out.StepSummaryOf("dbmigrate scan", scanCounts(totals), nil)
	if totals.Elsewhere > 0 {
		out.Warn("scan: at least %s like databases, and not where the layout has one, such as %s: check --layout",
			objectsLook(totals.Elsewhere), totals.ElsewhereKey)
	}
	if totals.Failed > 0 {
		out.Warn("scan: %s cannot be read", units.Plural(totals.Failed, "object"))
	}
	return totals, nil
}

func objectsLook(n int) string {
	if n == 1 {
		return "1 object looks"
	}
	return units.FormatInteger(int64(n)) + " objects look"
}

func scanCounts(t *Totals) []terminal.Count {
	return []terminal.Count{
		{Name: "users", Value: strconv.Itoa(t.Users)}, {Name: "size", Value: units.FormatSize(t.Bytes)},
		{
			Name:  "to migrate, from " + units.FormatSize(t.Threshold),
			Value: fmt.Sprintf("%d (%s)", t.Migrate, units.FormatSize(t.MigrateBytes)),
		},
		{Name: "noted, from " + units.FormatSize(NoteFrom), Value: strconv.Itoa(t.Note)},
		{
			Name:  "migrated",
			Value: strconv.Itoa(t.Migrated),
		}, {Name: "to check", Value: strconv.Itoa(t.Check)}, {Name: "blocked", Value: strconv.Itoa(t.Blocked)},
	}
}

// columnsUpTo draws sizes up to the largest one.
func columnsUpTo(largest int64) []terminal.Column[User] {
	const cells = 10
	drawn := terminal.Column[User]{Drawn: true, Text: func(u User) string {
		return terminal.Bar(float64(u.Bytes)/float64(max(largest, 1)), cells)
	}}
	return slices.Insert(slices.Clone(scanColumns), 2, drawn)
}

// trendCells is how many of the newest scans a sparkline shows.
const trendCells = 40

func (t *trend) sizes() (sizes []float64) {
	for _, p := range t.points {
		sizes = append(sizes, float64(p.Bytes))
	}
	return sizes
}

var scanColumns = []terminal.Column[User]{
	{Head: "USER", Field: "user", Text: func(s User) string { return string(s.User) }},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(s User) string { return units.FormatSize(s.Bytes) },
		Data:  func(s User) string { return strconv.FormatInt(s.Bytes, 10) },
	},
	{
		Head:  "A WEEK",
		Field: "growthBytesPerWeek",
		Right: true,
		Text:  func(s User) string { return s.Growth() },
		Data:  func(s User) string { return orEmpty(s.GrowthPerWeek) },
	},
	{Head: "SERVED BY", Field: "servedBy", Text: func(s User) string { return string(s.Place) }},
	{
		Head:  "ADVICE",
		Keep:  true,
		Field: "advice",
		Text:  adviceText,
		Data:  func(s User) string { return s.Advice },
		Style: adviceStyle,
	},
	{
		Head:  "A MONTH",
		Field: "monthly",
		Right: true,
		Text:  func(s User) string { return s.Monthly() },
		Data:  monthlyData,
	},
	{
		Head:  "CROSSES IN",
		Field: "crossesInDays",
		Right: true,
		Text:  func(s User) string { return s.Crosses() },
		Data:  func(s User) string { return orEmpty(s.CrossesInDays) },
	},
	{Head: "REASON", Field: "reason", Text: func(s User) string { return s.Reason }},
	{
		Head:  "BLOCKED",
		Field: "blocked",
		Text:  blockedText,
		Style: func(User) terminal.Style { return terminal.Bad },
	},
}

func adviceText(s User) string {
	if s.Advice == AdviceNone {
		return "-"
	}
	return s.Advice
}

func adviceStyle(s User) terminal.Style {
	switch s.Advice {
	case AdviceMigrate, AdviceCheck:
		return terminal.Attention
	case AdviceMigrated:
		return terminal.Good
	case AdviceNone:
		return terminal.Faint
	}
	return terminal.Plain
}

func blockedText(s User) string { return strings.Join(s.Blocked, "; ") }

func monthlyData(s User) string {
	if s.Cost == nil {
		return ""
	}
	return orEmpty(s.Cost.Monthly)
}

func orEmpty(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(*n, 'f', -1, 64)
}
