package fleet

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// resultColumns show what was done to users.
var resultColumns = []terminal.Column[result.Result]{
	{Head: "USER", Field: "user", Text: func(r result.Result) string { return string(r.User) }},
	{
		Head:  "OUTCOME",
		Keep:  true,
		Field: "outcome",
		Text:  func(r result.Result) string { return string(r.Outcome) },
		Style: outcomeStyle,
	},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(r result.Result) string { return terminal.SizeOrNothing(r.Bytes) },
		Data:  func(r result.Result) string { return strconv.FormatInt(r.Bytes, 10) },
	},
	{
		Head:  "ROWS",
		Field: "rows",
		Right: true,
		Text:  func(r result.Result) string { return terminal.OrNothing(r.Rows) },
	},
	{
		Head:  "TABLES",
		Field: "tables",
		Right: true,
		Text:  func(r result.Result) string { return terminal.OrNothing(int64(r.Tables)) },
	},
	{
		Head:  "FREED",
		Field: "freedBytes",
		Right: true,
		Text:  freedText,
		Data:  func(r result.Result) string { return terminal.OrNothing(r.FreedBytes) },
	},
	{
		Head:  "TOOK",
		Field: "tookMs",
		Right: true,
		Text:  func(r result.Result) string { return units.FormatDuration(r.Took) },
		Data:  func(r result.Result) string { return strconv.FormatInt(r.Took.Milliseconds(), 10) },
	},
	{Head: "WRITES WAITED", Field: "windowMs", Right: true, Text: windowText, Data: windowData},
	{Head: "REASON", Field: "reason", Text: reasonText},
}

func outcomeStyle(r result.Result) terminal.Style {
	switch r.Outcome {
	case result.OutcomeFailed, result.OutcomeDifferent, result.OutcomeOverwritten:
		return terminal.Bad
	case result.OutcomeToBeSealed, result.OutcomeDiscarded, result.OutcomeQuarantined:
		return terminal.Attention
	case result.OutcomeKept, result.OutcomeNothing, result.OutcomeAlready, result.OutcomeInR2:
		return terminal.Faint
	}
	return terminal.Good
}

func freedText(r result.Result) string {
	if r.FreedBytes == 0 {
		return ""
	}
	return units.FormatSize(r.FreedBytes)
}

func windowText(r result.Result) string {
	if r.Window == 0 {
		return ""
	}
	return units.FormatDuration(r.Window)
}

func windowData(r result.Result) string { return terminal.OrNothing(r.Window.Milliseconds()) }

// reasonText is why a user failed or was kept, what differs, and which tables the application has written to.
func reasonText(r result.Result) string {
	var parts []string
	if err := r.Err(); err != nil {
		text := err.Error()
		if r.Outcome == result.OutcomeNotBegun {
			text = "not begun"
		}
		parts = append(parts, text)
	}
	if r.Reason != "" {
		parts = append(parts, r.Reason)
	}
	parts = append(parts, r.Differences...)
	for _, w := range r.Warnings {
		parts = append(parts, fmt.Sprintf("warning: %s: %s", w.Object, w.Detail))
	}
	for _, t := range r.Changes {
		if t.Digest == "" {
			parts = append(parts, fmt.Sprintf("table %s was dropped", t.Name))
			continue
		}
		parts = append(
			parts,
			fmt.Sprintf("table %s changed, %s now", t.Name, units.Plural(int(t.Rows), "row")),
		)
	}
	if r.LeftBehind != "" {
		parts = append(parts, "left behind, as "+string(r.LeftBehind))
	}
	if r.Archived != "" {
		parts = append(parts, "archived as "+string(r.Archived))
	}
	if r.SavedTo != "" {
		parts = append(parts, "as "+r.SavedTo)
	}
	return strings.Join(parts, "; ")
}
