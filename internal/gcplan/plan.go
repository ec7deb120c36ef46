// Package gcplan shows what gc would free and why, and carries plans over a hold.
package gcplan

import (
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// line is one line of a plan (docs/scripting.md).
type line struct {
	User       userdb.UserID     `json:"user"`
	Key        userdb.ObjectKey  `json:"key,omitempty"`
	Plan       string            `json:"plan"` // free or keep
	Bytes      int64             `json:"bytes"`
	MigratedAt int64             `json:"migratedAt,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Error      *userdb.ErrorJSON `json:"error,omitempty"`
}

const (
	gcFree = "free"
	gcKeep = "keep"
)

// Totals is the summary of a plan (docs/scripting.md).
type Totals struct {
	Action    string `json:"action"`
	DryRun    bool   `json:"dryRun"`
	Plan      string `json:"plan"`
	Free      int    `json:"free"`
	FreeBytes int64  `json:"freeBytes"`
	// FreeDollars is what R2 asks for those bytes, a month.
	FreeDollars   float64 `json:"freeDollarsPerMonth"`
	Keep          int     `json:"keep"`
	Failed        int     `json:"failed"`
	NotMigrated   int     `json:"notMigrated"`
	OlderThanSecs int64   `json:"olderThanSeconds"`
	ArchivePrefix string  `json:"archivePrefix,omitempty"`
}

// Print prints the plan, user by user, and returns its totals.
func Print(out *terminal.Output, plan gc.Plan, notMigrated int) (Totals, error) {
	sheet := terminal.NewSheet(out, columns(time.Now()))
	totals := Totals{
		Action:      string(result.ActionGC),
		DryRun:      true,
		Plan:        plan.Digest(),
		Free:        len(plan.Free),
		FreeBytes:   plan.Bytes(),
		FreeDollars: cost.R2Storage(plan.Bytes()),
		Keep: len(
			plan.Keep,
		),
		NotMigrated:   notMigrated,
		OlderThanSecs: int64(plan.OlderThan.Seconds()),
		ArchivePrefix: plan.ArchivePrefix,
	}
	for _, line := range linesOf(plan) {
		if line.Error != nil {
			totals.Failed++
		}
		if err := sheet.Add(line); err != nil {
			return totals, err
		}
	}
	return totals, sheet.End(map[string]any{"summary": totals})
}

// PrintAlone prints a plan that nobody carries out; repeat is what a command has to say to make the same one.
func PrintAlone(out *terminal.Output, plan gc.Plan, notMigrated int, repeat string) (Totals, error) {
	totals, err := Print(out, plan, notMigrated)
	if err != nil {
		return totals, err
	}
	out.Say(
		"gc: would free %s of %s, keep %d; %s only in R2; R2 asks %s a month for what would go",
		units.FormatSize(totals.FreeBytes),
		units.Plural(totals.Free, "user"),
		totals.Keep,
		units.Plural(notMigrated, "user"),
		dollarText(totals.FreeDollars),
	)
	if totals.Free > 0 {
		out.Say(
			"nothing was changed; to free exactly this, say the same (%s) with --confirm %s, or with --mark to free it after a hold",
			repeat,
			totals.Plan,
		)
	}
	return totals, nil
}

func linesOf(plan gc.Plan) []line {
	var lines []line
	for _, item := range plan.Free {
		lines = append(
			lines,
			line{
				User:       item.User,
				Key:        item.Key,
				Plan:       gcFree,
				Bytes:      item.Bytes,
				MigratedAt: item.MigratedAt,
			},
		)
	}
	for _, kept := range plan.Keep {
		line := line{User: kept.User, Plan: gcKeep, Bytes: kept.Bytes, Reason: kept.Reason}
		if err := kept.Err(); err != nil {
			described := userdb.ErrorOf(err)
			line.Error = &described
		}
		lines = append(lines, line)
	}
	return lines
}

func columns(now time.Time) []terminal.Column[line] {
	return []terminal.Column[line]{
		{Head: "USER", Field: "user", Text: func(l line) string { return string(l.User) }},
		{
			Head:  "PLAN",
			Keep:  true,
			Field: "plan",
			Text:  func(l line) string { return l.Plan },
			Style: func(l line) terminal.Style {
				if l.Plan == gcFree {
					return terminal.Attention
				}
				return terminal.Faint
			},
		},
		{
			Head:  "SIZE",
			Field: "bytes",
			Right: true,
			Text:  func(l line) string { return units.FormatSize(l.Bytes) },
			Data:  func(l line) string { return fmt.Sprint(l.Bytes) },
		},
		{Head: "AGE", Field: "migratedAt", Right: true, Text: func(l line) string {
			if l.MigratedAt == 0 {
				return ""
			}
			return units.FormatDuration(now.Sub(time.UnixMilli(l.MigratedAt)))
		}, Data: func(l line) string { return terminal.OrNothing(l.MigratedAt) }},
		{Head: "REASON", Field: "reason", Text: func(l line) string {
			if l.Error != nil {
				return l.Error.Message
			}
			return l.Reason
		}},
	}
}

func dollarText(dollars float64) string {
	if dollars > 0 && dollars < 0.01 {
		return "less than $0.01"
	}
	return fmt.Sprintf("$%.2f", dollars)
}
