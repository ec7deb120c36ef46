package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
)

// resultColumns show what was done to users.
var resultColumns = []report.Column[migrate.Result]{
	{Head: "USER", Field: "user", Text: func(r migrate.Result) string { return string(r.User) }},
	{Head: "OUTCOME", Field: "outcome", Text: func(r migrate.Result) string { return string(r.Outcome) }, Style: outcomeStyle},
	{Head: "SIZE", Field: "bytes", Right: true, Text: func(r migrate.Result) string { return units.FormatSize(r.Bytes) }, Data: func(r migrate.Result) string { return strconv.FormatInt(r.Bytes, 10) }},
	{Head: "ROWS", Field: "rows", Right: true, Text: func(r migrate.Result) string { return orNothing(r.Rows) }},
	{Head: "TABLES", Field: "tables", Right: true, Text: func(r migrate.Result) string { return orNothing(int64(r.Tables)) }},
	{Head: "FREED", Field: "freedBytes", Right: true, Text: freedText, Data: func(r migrate.Result) string { return orNothing(r.FreedBytes) }},
	{Head: "TOOK", Field: "tookMs", Right: true, Text: func(r migrate.Result) string { return units.FormatDuration(r.Took) }, Data: func(r migrate.Result) string { return strconv.FormatInt(r.Took.Milliseconds(), 10) }},
	{Head: "WRITES WAITED", Field: "windowMs", Right: true, Text: windowText, Data: windowData},
	{Head: "REASON", Field: "reason", Text: reasonText},
}

func outcomeStyle(r migrate.Result) report.Style {
	switch r.Outcome {
	case migrate.OutcomeFailed, migrate.OutcomeDifferent, migrate.OutcomeOverwritten:
		return report.Bad
	case migrate.OutcomeToBeSealed, migrate.OutcomeDiscarded, migrate.OutcomeQuarantined:
		return report.Attention
	case migrate.OutcomeKept, migrate.OutcomeNothing, migrate.OutcomeAlready, migrate.OutcomeInR2:
		return report.Faint
	}
	return report.Good
}

func orNothing(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func freedText(r migrate.Result) string {
	if r.FreedBytes == 0 {
		return ""
	}
	return units.FormatSize(r.FreedBytes)
}

func windowText(r migrate.Result) string {
	if r.Window == 0 {
		return ""
	}
	return units.FormatDuration(r.Window)
}

func windowData(r migrate.Result) string { return orNothing(r.Window.Milliseconds()) }

// reasonText is why a user failed or was kept, what differs, and which tables the application has written to.
func reasonText(r migrate.Result) string {
	var parts []string
	if err := r.Err(); err != nil {
		text := err.Error()
		if r.Outcome == migrate.OutcomeNotBegun {
			text = "not begun"
		}
		parts = append(parts, text)
	}
	if r.Reason != "" {
		parts = append(parts, r.Reason)
	}
	parts = append(parts, r.Differences...)
	for _, t := range r.Changes {
		parts = append(parts, fmt.Sprintf("table %s changed, %s now", t.Name, units.Plural(int(t.Rows), "row")))
	}
	if r.LeftBehind != "" {
		parts = append(parts, "left behind, as "+string(r.LeftBehind))
	}
	if r.Archived != "" {
		parts = append(parts, "archived as "+string(r.Archived))
	}
	return strings.Join(parts, "; ")
}

// sinceText is for people.
func sinceText(at int64) string {
	if at == 0 {
		return ""
	}
	return units.FormatDuration(time.Since(time.UnixMilli(at)))
}
