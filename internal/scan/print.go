package scan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/report"
)

// Print shows a scan, and sums it up.
func (r *Report) Print(out *report.Output) (*Totals, error) {
	sheet, totals := report.NewSheet(out, scanColumns), r.Summary()
	if err := r.Each(func(u *User) error { return sheet.Add(*u) }); err != nil {
		return totals, err
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return totals, err
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
	}
	for _, sentence := range r.Cost.Sentences() {
		out.Say("%s", sentence)
	}
	out.StepSummaryOf("dbmigrate scan", scanCounts(totals), nil)
	if totals.Failed > 0 {
		out.Warn("scan: %s cannot be read", units.Plural(totals.Failed, "object"))
	}
	return totals, nil
}

func scanCounts(t *Totals) []report.Count {
	return []report.Count{
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

var scanColumns = []report.Column[User]{
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
	{Head: "PLACE", Field: "place", Text: func(s User) string { return string(s.Place) }},
	{
		Head:  "ADVICE",
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
		Style: func(User) report.Style { return report.Bad },
	},
}

func adviceText(s User) string {
	if s.Advice == AdviceNone {
		return "-"
	}
	return s.Advice
}

func adviceStyle(s User) report.Style {
	switch s.Advice {
	case AdviceMigrate, AdviceCheck:
		return report.Attention
	case AdviceMigrated:
		return report.Good
	case AdviceNone:
		return report.Faint
	}
	return report.Plain
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
