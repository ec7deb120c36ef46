package history

import (
	"strconv"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// Print tells the story, the oldest event first.
func Print(out *terminal.Output, s *Story) error {
	sheet := terminal.NewSheet(out, columns)
	for _, e := range s.Events {
		if err := sheet.Add(e); err != nil {
			return err
		}
	}
	summary := map[string]any{
		"user": s.User, "runs": s.Runs, "unread": s.Unread, "receipts": s.Receipts, "copies": s.Copies,
	}
	if err := sheet.End(map[string]any{"summary": summary}); err != nil {
		return err
	}
	out.Say(
		"history: %s: %s, %s; %s looked through",
		s.User,
		units.Plural(s.Receipts, "receipt"),
		strings.Replace(units.Plural(s.Copies, "copy"), "copys", "copies", 1),
		units.Plural(s.Runs, "run"),
	)
	if s.Unread > 0 {
		out.Warn("history: %s could not be read, so something may be missing", units.Plural(s.Unread, "record"))
	}
	return nil
}

var columns = []terminal.Column[Event]{
	{
		Head:  "WHEN",
		Field: "at",
		Text:  func(e Event) string { return time.UnixMilli(e.At).UTC().Format(time.RFC3339) },
		Data:  func(e Event) string { return strconv.FormatInt(e.At, 10) },
	},
	{Head: "WHAT", Keep: true, Field: "kind", Text: whatText, Data: func(e Event) string { return e.Kind }},
	{Head: "OUTCOME", Keep: true, Field: "outcome", Text: func(e Event) string { return e.Outcome }, Style: outcomeStyle},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  sizeText,
		Data:  func(e Event) string { return strconv.FormatInt(e.Bytes, 10) },
	},
	{
		Head:  "WRITES WAITED",
		Field: "windowMs",
		Right: true,
		Text:  waitedText,
		Data:  func(e Event) string { return strconv.FormatInt(e.WindowMs, 10) },
	},
	{Head: "BY", Field: "by", Text: byText},
	{Head: "RUN", Field: "run", Text: func(e Event) string { return e.Run }},
	{Head: "DETAIL", Field: "detail", Text: detailText, Data: func(e Event) string { return e.Detail }},
}

func whatText(e Event) string {
	switch e.Kind {
	case RunEvent:
		return e.Action
	case CopyEvent:
		if e.What == leftBehind || e.What == archived || e.What == overwritten {
			return e.What
		}
		return "file, " + e.What
	}
	return e.Kind
}

// waitedText is empty where no write had to wait.
func waitedText(e Event) string {
	if e.WindowMs == 0 {
		return ""
	}
	return units.FormatDuration(time.Duration(e.WindowMs) * time.Millisecond)
}

func outcomeStyle(e Event) terminal.Style {
	switch e.Outcome {
	case "failed", "different", "overwritten":
		return terminal.Bad
	case "in-flight", "to-be-sealed", "discarded":
		return terminal.Attention
	}
	return terminal.Plain
}

func byText(e Event) string {
	if e.Via == "" {
		return e.By
	}
	return e.By + " (" + e.Via + ")"
}

// detailText is why, what the run said, and where the data is.
func detailText(e Event) string {
	var parts []string
	if e.Reason != "" {
		parts = append(parts, "reason: "+e.Reason)
	}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	if e.Key != "" {
		parts = append(parts, string(e.Key))
	}
	return strings.Join(parts, "; ")
}
