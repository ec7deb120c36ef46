package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// comparedUsers is up to how many users a preview compares rows, for which it has to download their kept
	// files.
	comparedUsers = 20
	// comparedRows bounds the differences that it counts in one table.
	comparedRows = 1000
	// maxShown bounds --show.
	maxShown = 1000
)

// previewLine is one user of a preview (docs/scripting.md).
type previewLine struct {
	migrate.Preview
	Error *report.ErrorJSON `json:"error,omitempty"`
}

// previewTotals is the summary of a preview (docs/scripting.md).
type previewTotals struct {
	Action string              `json:"action"`
	DryRun bool                `json:"dryRun"`
	Users  int                 `json:"users"`
	Plans  map[migrate.Way]int `json:"plans"`
	Writes int64               `json:"writes"`
	Bytes  int64               `json:"bytes"`
	Failed int                 `json:"failed"`

	FlagsUnread bool `json:"flagsUnread,omitempty"`
}

// previewRollback says what a rollback would do. Every line is asked for side by side and printed in the
// order of the rollback.
func (a *app) previewRollback(ctx context.Context, c *chosen, o *rollbackOptions) error {
	e, users := c.Engine, c.users
	opts := migrate.PreviewOptions{Discard: o.DiscardWrites, Show: o.show}
	if len(users) <= comparedUsers || o.show > 0 {
		opts.Compare = comparedRows
	}
	lines := make([]previewLine, len(users))
	err := parallel.Each(ctx, len(users), e.Concurrency, func(ctx context.Context, i int) error {
		var err error
		if lines[i].Preview, err = e.Preview(ctx, users[i].User, opts); err != nil && ctx.Err() == nil {
			if userdb.KindOf(err) == userdb.Unauthorized && users[i].Place != migrate.PlaceUnreadable {
				return err
			}
			described := report.ErrorOf(err)
			lines[i].Error = &described
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return a.printPreview(lines, c.set.FlagsUnread)
}

func (a *app) printPreview(lines []previewLine, flagsUnread bool) error {
	sheet := report.NewSheet(a.out, previewColumns)
	totals := previewTotals{
		Action:      string(migrate.ActionRollback),
		DryRun:      true,
		Users:       len(lines),
		Plans:       map[migrate.Way]int{},
		FlagsUnread: flagsUnread,
	}
	for _, l := range lines {
		totals.add(l)
		if err := sheet.Add(l); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	a.showRows(lines)
	a.out.Say(
		"dry run: %s, %s since their migration; %d would fail; nothing was changed",
		units.Plural(totals.Users, "user"),
		units.Plural(int(totals.Writes), "write transaction"),
		totals.Failed,
	)
	if totals.Failed > 0 || flagsUnread {
		return ended(exitFailed)
	}
	return nil
}

func (t *previewTotals) add(l previewLine) {
	if l.Error != nil {
		t.Failed++
		return
	}
	t.Plans[l.Plan]++
	t.Writes += l.Writes
	t.Bytes += l.Bytes
}

// showRows prints the rows behind the table, which has no room for them; JSON has them already.
func (a *app) showRows(lines []previewLine) {
	if a.out.Format != report.Table {
		return
	}
	for _, l := range lines {
		for _, row := range l.Rows {
			a.out.Say("%s: %s", l.User, row)
		}
	}
}

var previewColumns = []report.Column[previewLine]{
	{Head: "USER", Field: "user", Text: func(l previewLine) string { return string(l.User) }},
	{Head: "PLAN", Field: "plan", Text: func(l previewLine) string { return string(l.Plan) }},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(l previewLine) string { return units.FormatSize(l.Bytes) },
		Data:  func(l previewLine) string { return strconv.FormatInt(l.Bytes, 10) },
	},
	{
		Head:  "MIGRATED",
		Field: "migratedAt",
		Right: true,
		Text:  func(l previewLine) string { return sinceText(l.At) },
		Data:  func(l previewLine) string { return report.OrNothing(l.At) },
	},
	{Head: "RUN", Field: "run", Text: func(l previewLine) string { return l.Run }},
	{
		Head:  "WRITES SINCE",
		Field: "writes",
		Right: true,
		Text:  func(l previewLine) string { return report.OrNothing(l.Writes) },
	},
	{Head: "WRITTEN", Field: "written", Text: writtenText},
}

// writtenText says what was written, table by table.
func writtenText(l previewLine) string {
	if l.Error != nil {
		return l.Error.Message
	}
	var parts []string
	for _, t := range l.Tables {
		parts = append(parts, tableText(t))
	}
	if l.Reason != "" {
		parts = append(parts, l.Reason)
	}
	return strings.Join(parts, "; ")
}

func tableText(t migrate.TableChange) string {
	if t.Added == nil {
		return fmt.Sprintf("%s: %d rows, %d before", t.Name, t.Now, t.Before)
	}
	text := fmt.Sprintf("%s: +%d -%d ~%d rows", t.Name, *t.Added, *t.Removed, *t.Changed)
	if t.AtLeast {
		text += " at least"
	}
	return text
}

// sinceText is for people.
func sinceText(at int64) string {
	if at == 0 {
		return ""
	}
	return units.FormatDuration(time.Since(time.UnixMilli(at)))
}
