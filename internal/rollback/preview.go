// Package rollback says what a rollback would do, asks for words where it would lose something, and
// rehearses it.
package rollback

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// comparedUsers is up to how many users a preview compares rows and tries merges, for which it has to
	// download files.
	comparedUsers = 20
	// comparedRows bounds the differences that it counts in one table.
	comparedRows = 1000
	// MaxShown bounds --show.
	MaxShown = 1000
)

// PreviewLine is one user of a preview (docs/scripting.md).
type PreviewLine struct {
	inspect.Preview
	Error *userdb.ErrorJSON `json:"error,omitempty"`
}

// PreviewTotals is the summary of a preview (docs/scripting.md).
type PreviewTotals struct {
	Action string              `json:"action"`
	DryRun bool                `json:"dryRun"`
	Users  int                 `json:"users"`
	Plans  map[inspect.Way]int `json:"plans"`
	Writes int64               `json:"writes"`
	Bytes  int64               `json:"bytes"`
	Failed int                 `json:"failed"`

	FlagsUnread bool `json:"flagsUnread,omitempty"`
}

// Preview says what a rollback would do. Every line is asked for side by side; they stand in the order of the
// rollback.
func Preview(
	ctx context.Context,
	c *connect.Chosen,
	opts inspect.PreviewOptions,
	prefer split.Prefer,
) ([]PreviewLine, error) {
	e, users := c.Engine, c.Users
	closely := len(users) <= comparedUsers || opts.Show > 0
	if closely {
		opts.Compare = comparedRows
	}
	lines := make([]PreviewLine, len(users))
	err := parallel.Each(ctx, len(users), e.Concurrency, func(ctx context.Context, i int) error {
		var err error
		if lines[i].Preview, err = e.Inspect().Preview(ctx, users[i].User, opts); err != nil && ctx.Err() == nil {
			if userdb.KindOf(err) == userdb.Unauthorized && users[i].Place != inspect.PlaceUnreadable {
				return err
			}
			lines[i].fail(err)
		}
		if lines[i].Plan == inspect.WayMerge && lines[i].Error == nil {
			lines[i].tryMerge(ctx, e, closely, prefer)
		}
		return ctx.Err()
	})
	return lines, err
}

func (l *PreviewLine) fail(err error) {
	described := userdb.ErrorOf(err)
	l.Error = &described
}

// tryMerge says of a split user whether the two halves can be merged, which takes a download of both.
func (l *PreviewLine) tryMerge(ctx context.Context, e *migrate.Engine, closely bool, prefer split.Prefer) {
	if !closely {
		l.Reason = "whether both halves can be merged was not tried: --rehearse tries it"
		return
	}
	switch err := e.TryMergePreferring(ctx, l.User, prefer); {
	case userdb.KindOf(err) == userdb.Precondition:
		l.Reason = "whether both halves can be merged is not known: the application wrote during every look"
	case err != nil && ctx.Err() == nil:
		l.fail(err)
	}
}

// PrintPreview shows the lines, and sums them up.
func PrintPreview(out *terminal.Output, lines []PreviewLine, flagsUnread bool) (PreviewTotals, error) {
	sheet := terminal.NewSheet(out, previewColumns)
	totals := PreviewTotals{
		Action:      string(result.ActionRollback),
		DryRun:      true,
		Users:       len(lines),
		Plans:       map[inspect.Way]int{},
		FlagsUnread: flagsUnread,
	}
	for _, l := range lines {
		totals.add(l)
		if err := sheet.Add(l); err != nil {
			return totals, err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return totals, err
	}
	showRows(out, lines)
	out.Say(
		"dry run: %s, %s since their migration; %d would fail; nothing was changed",
		units.Plural(totals.Users, "user"),
		units.Plural(int(totals.Writes), "write transaction"),
		totals.Failed,
	)
	return totals, nil
}

func (t *PreviewTotals) add(l PreviewLine) {
	if l.Error != nil {
		t.Failed++
		return
	}
	t.Plans[l.Plan]++
	t.Writes += l.Writes
	t.Bytes += l.Bytes
}

// Unknown are users who do not exist: neither side has anything.
func Unknown(lines []PreviewLine) (unknown []userdb.UserID) {
	for _, l := range lines {
		if l.Error != nil && l.Error.Kind == userdb.NotFound {
			unknown = append(unknown, l.User)
		}
	}
	return unknown
}

// showRows prints the rows behind the table, which has no room for them; JSON has them already.
func showRows(out *terminal.Output, lines []PreviewLine) {
	if out.Format != terminal.Table {
		return
	}
	for _, l := range lines {
		for _, row := range l.Rows {
			out.Say("%s: %s", l.User, row)
		}
	}
}

var previewColumns = []terminal.Column[PreviewLine]{
	{Head: "USER", Field: "user", Text: func(l PreviewLine) string { return string(l.User) }},
	{Head: "PLAN", Keep: true, Field: "plan", Text: func(l PreviewLine) string { return string(l.Plan) }},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(l PreviewLine) string { return terminal.SizeOrNothing(l.Bytes) },
		Data:  func(l PreviewLine) string { return strconv.FormatInt(l.Bytes, 10) },
	},
	{
		Head:  "MIGRATED",
		Field: "migratedAt",
		Right: true,
		Text:  func(l PreviewLine) string { return sinceText(l.At) },
		Data:  func(l PreviewLine) string { return terminal.OrNothing(l.At) },
	},
	{Head: "RUN", Field: "run", Text: func(l PreviewLine) string { return l.Run }},
	{
		Head:  "WRITES SINCE",
		Field: "writes",
		Right: true,
		Text:  func(l PreviewLine) string { return terminal.OrNothing(l.Writes) },
	},
	{Head: "WRITTEN", Field: "written", Text: writtenText},
}

// writtenText says what was written, table by table.
func writtenText(l PreviewLine) string {
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

func tableText(t inspect.TableChange) string {
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
