package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
)

// scanTotals is the summary of a scan (docs/scripting.md).
type scanTotals struct {
	Users        int   `json:"users"`
	Bytes        int64 `json:"bytes"`
	Threshold    int64 `json:"threshold"`
	Migrate      int   `json:"migrate"`
	MigrateBytes int64 `json:"migrateBytes"`
	Note         int   `json:"note"`
	Migrated     int   `json:"migrated"`
	Check        int   `json:"check"`
	Blocked      int   `json:"blocked"`
	Largest      int64 `json:"largestBytes"` // of those in R2
}

func (t *scanTotals) add(s scanned) {
	t.Users++
	t.Bytes += s.Bytes
	switch s.Advice {
	case adviceMigrate:
		t.Migrate++
		t.MigrateBytes += s.Bytes
	case adviceNote:
		t.Note++
	case adviceMigrated:
		t.Migrated++
	case adviceCheck:
		t.Check++
	}
	if len(s.Blocked) > 0 {
		t.Blocked++
	}
	if s.Place == migrate.PlaceR2 {
		t.Largest = max(t.Largest, s.Bytes)
	}
}

func (a *app) printScan(lines []scanned, threshold int64) error {
	sheet, totals := report.NewSheet(a.out, scanColumns), scanTotals{Threshold: threshold}
	for _, l := range lines {
		totals.add(l)
		if err := sheet.Add(l); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	a.out.Say("scan: %s with %s; %d to migrate (from %s: %s), %d noted (from %s), %d migrated already%s",
		plural(totals.Users, "user"), units.FormatSize(totals.Bytes), totals.Migrate, units.FormatSize(threshold), units.FormatSize(totals.MigrateBytes),
		totals.Note, units.FormatSize(noteFrom), totals.Migrated, totals.more())
	a.out.StepSummaryOf("dbmigrate scan", totals.counts(), nil)
	return nil
}

func (t *scanTotals) more() string {
	text := ""
	if t.Check > 0 {
		text += fmt.Sprintf(", %d to check (see `dbmigrate status`)", t.Check)
	}
	if t.Blocked > 0 {
		text += fmt.Sprintf(", %d blocked", t.Blocked)
	}
	return text
}

func (t *scanTotals) counts() []report.Count {
	return []report.Count{
		{Name: "users", Value: strconv.Itoa(t.Users)}, {Name: "size", Value: units.FormatSize(t.Bytes)},
		{Name: "to migrate, from " + units.FormatSize(t.Threshold), Value: fmt.Sprintf("%d (%s)", t.Migrate, units.FormatSize(t.MigrateBytes))},
		{Name: "noted, from " + units.FormatSize(noteFrom), Value: strconv.Itoa(t.Note)},
		{Name: "migrated", Value: strconv.Itoa(t.Migrated)}, {Name: "to check", Value: strconv.Itoa(t.Check)}, {Name: "blocked", Value: strconv.Itoa(t.Blocked)},
	}
}

var scanColumns = []report.Column[scanned]{
	{Head: "USER", Field: "user", Text: func(s scanned) string { return string(s.User) }},
	{Head: "SIZE", Field: "bytes", Right: true, Text: func(s scanned) string { return units.FormatSize(s.Bytes) }, Data: func(s scanned) string { return strconv.FormatInt(s.Bytes, 10) }},
	{Head: "PLACE", Field: "place", Text: func(s scanned) string { return string(s.Place) }},
	{Head: "ADVICE", Field: "advice", Text: adviceText, Data: func(s scanned) string { return s.Advice }, Style: adviceStyle},
	{Head: "REASON", Field: "reason", Text: func(s scanned) string { return s.Reason }},
	{Head: "BLOCKED", Field: "blocked", Text: blockedText, Style: func(scanned) report.Style { return report.Bad }},
}

func adviceText(s scanned) string {
	if s.Advice == adviceNone {
		return "-"
	}
	return s.Advice
}

func adviceStyle(s scanned) report.Style {
	switch s.Advice {
	case adviceMigrate, adviceCheck:
		return report.Attention
	case adviceMigrated:
		return report.Good
	case adviceNone:
		return report.Faint
	}
	return report.Plain
}

func blockedText(s scanned) string { return strings.Join(s.Blocked, "; ") }
