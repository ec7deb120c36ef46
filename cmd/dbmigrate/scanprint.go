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
	Crossing     int   `json:"crossing"`

	Scans         int        `json:"scans,omitempty"` // of the whole bucket that the history holds
	GrowthPerWeek *float64   `json:"growthBytesPerWeek,omitempty"`
	Cost          *fleetCost `json:"cost,omitempty"`

	FlagsUnread bool `json:"flagsUnread,omitempty"`
	Failed      int  `json:"failed,omitempty"`
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
	if s.Error != nil {
		t.Failed++
	}
	if s.CrossesInDays != nil {
		t.Crossing++
	}
	if s.Place == migrate.PlaceR2 {
		t.Largest = max(t.Largest, s.Bytes)
	}
}

func (a *app) printScan(s *survey) error {
	sheet, totals := report.NewSheet(a.out, scanColumns), s.summary()
	for _, l := range s.lines {
		if err := sheet.Add(l); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	a.out.Say("scan: %s with %s; %d to migrate (from %s: %s), %d noted (from %s), %d migrated already%s",
		plural(totals.Users, "user"), units.FormatSize(totals.Bytes), totals.Migrate, units.FormatSize(totals.Threshold), units.FormatSize(totals.MigrateBytes),
		totals.Note, units.FormatSize(noteFrom), totals.Migrated, totals.more())
	if growth := s.trend.sentence(totals.Threshold); growth != "" {
		a.out.Say("%s", growth)
	}
	for _, sentence := range s.cost.sentences() {
		a.out.Say("%s", sentence)
	}
	a.out.StepSummaryOf("dbmigrate scan", totals.counts(), nil)
	if totals.Failed > 0 {
		a.out.Warn("scan: %s cannot be read", plural(totals.Failed, "object"))
	}
	if totals.FlagsUnread || totals.Failed > 0 {
		return ended(exitFailed)
	}
	return nil
}

// summary completes the totals with what is of the whole bucket.
func (s *survey) summary() *scanTotals {
	t := &s.totals
	t.Scans = len(s.trend.points)
	if s.trend.known {
		t.GrowthPerWeek = rounded(s.trend.perWeek, 1)
	}
	if s.cost.Users > 0 {
		t.Cost = &s.cost
	}
	return t
}

func (t *scanTotals) more() string {
	text := ""
	if t.Check > 0 {
		text += fmt.Sprintf(", %d to check (see `dbmigrate status --deep`)", t.Check)
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
	{Head: "A WEEK", Field: "growthBytesPerWeek", Right: true, Text: growthText, Data: growthData},
	{Head: "PLACE", Field: "place", Text: func(s scanned) string { return string(s.Place) }},
	{Head: "ADVICE", Field: "advice", Text: adviceText, Data: func(s scanned) string { return s.Advice }, Style: adviceStyle},
	{Head: "A MONTH", Field: "monthly", Right: true, Text: monthlyText, Data: monthlyData},
	{Head: "CROSSES IN", Field: "crossesInDays", Right: true, Text: crossesText, Data: crossesData},
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

func growthText(s scanned) string {
	if s.GrowthPerWeek == nil || *s.GrowthPerWeek == 0 {
		return ""
	}
	return signedSize(*s.GrowthPerWeek)
}

func growthData(s scanned) string { return orEmpty(s.GrowthPerWeek) }

func crossesText(s scanned) string {
	if s.CrossesInDays == nil {
		return ""
	}
	return fmt.Sprintf("%.0fd", *s.CrossesInDays)
}

func crossesData(s scanned) string { return orEmpty(s.CrossesInDays) }

func monthlyText(s scanned) string {
	if s.Cost == nil || s.Cost.Monthly == nil {
		return ""
	}
	return signedUSD(*s.Cost.Monthly)
}

func monthlyData(s scanned) string {
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
