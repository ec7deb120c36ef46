package scan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// Print shows what a split would move, and sums it up.
func (r *SplitReport) Print(out *terminal.Output, top int) error {
	sheet, totals := terminal.NewSheet(out, splitColumns), r.Totals
	sheet.Top = top
	for _, l := range r.Users {
		if err := sheet.Add(l); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	out.Say(
		"scan: %s with %s; %d to split: %s would move, and about %s of %s stay in R2; %d with nothing to move, %d blocked",
		units.Plural(
			totals.Users,
			"user",
		),
		units.FormatSize(totals.Bytes),
		totals.Ready,
		units.Plural(int(totals.ColdRows), "row"),
		units.FormatSize(totals.HotBytes),
		units.FormatSize(totals.FileBytes),
		totals.Nothing,
		totals.Blocked,
	)
	for _, t := range totals.Tables {
		if len(t.Stay) > 0 {
			out.Say("scan: %s", t.Explain())
		}
	}
	return nil
}

var splitColumns = []terminal.Column[SplitUser]{
	{Head: "USER", Field: "user", Text: func(l SplitUser) string { return string(l.User) }},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(l SplitUser) string { return units.FormatSize(l.Bytes) },
		Data:  func(l SplitUser) string { return strconv.FormatInt(l.Bytes, 10) },
	},
	{
		Head:  "SPLIT",
		Keep:  true,
		Field: "split",
		Text:  func(l SplitUser) string { return l.Verdict },
		Style: splitStyle,
	},
	{
		Head:  "HOT FILE",
		Field: "hotBytes",
		Right: true,
		Text:  hotText,
		Data:  func(l SplitUser) string { return terminal.OrNothing(l.HotBytes) },
	},
	{
		Head:  "COLD ROWS",
		Field: "coldRows",
		Right: true,
		Text:  func(l SplitUser) string { return terminal.OrNothing(l.ColdRows) },
	},
	{
		Head:  "COLD",
		Field: "coldBytes",
		Right: true,
		Text:  coldText,
		Data:  func(l SplitUser) string { return terminal.OrNothing(l.ColdBytes) },
	},
	{Head: "TABLES", Field: "tables", Text: splitTablesText},
	{
		Head:  "BLOCKED",
		Field: "blocked",
		Text:  refusedText,
		Style: func(SplitUser) terminal.Style { return terminal.Bad },
	},
}

func refusedText(l SplitUser) string {
	if l.Error != nil {
		return l.Error.Message
	}
	return strings.Join(l.Blocked, "; ")
}

func splitStyle(l SplitUser) terminal.Style {
	switch l.Verdict {
	case SplitReady:
		return terminal.Attention
	case SplitBlocked, SplitFailed:
		return terminal.Bad
	}
	return terminal.Faint
}

func hotText(l SplitUser) string {
	if l.HotBytes == 0 {
		return ""
	}
	return "~" + units.FormatSize(l.HotBytes)
}

func coldText(l SplitUser) string {
	if l.ColdBytes == 0 {
		return ""
	}
	return units.FormatSize(l.ColdBytes)
}

// splitTablesText is each table with its cold rows of all.
func splitTablesText(l SplitUser) string {
	var parts []string
	for _, t := range l.Tables {
		if t.ColdRows > 0 {
			parts = append(parts, fmt.Sprintf("%s: %d of %d", t.Name, t.ColdRows, t.ColdRows+t.HotRows))
		}
	}
	return strings.Join(parts, "; ")
}
