// Package forget shows what a deletion would take, asks for words, and deletes users.
package forget

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/prompt"
	"github.com/dbmigrate/dbmigrate/internal/scan"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Line is one user of a plan (docs/scripting.md).
type Line struct {
	User userdb.UserID `json:"user"`
	Plan string        `json:"plan,omitempty"` // delete or nothing
	// Serves is who serves the user now.
	Serves      userfile.Side `json:"servedBy,omitempty"`
	Bytes       int64         `json:"bytes"`       // of the file
	ObjectBytes int64         `json:"objectBytes"` // of the Durable Object
	Kept        int           `json:"kept"`        // R2 objects that commands made
	// Beside is how many R2 objects lie beside the file. They are the application's, and stay.
	Beside int               `json:"beside"`
	Error  *userdb.ErrorJSON `json:"error,omitempty"`

	unknown bool // nothing is there, and no command has ever claimed the user
}

const (
	planDelete  = "delete"
	planNothing = "nothing"
)

// Totals is the summary of a plan (docs/scripting.md).
type Totals struct {
	Action string `json:"action"`
	DryRun bool   `json:"dryRun"`
	Users  int    `json:"users"`
	Delete int    `json:"delete"`
	Bytes  int64  `json:"bytes"`
	Beside int    `json:"beside"`
	Failed int    `json:"failed"`
}

// Plan looks for everything of the users, side by side.
func Plan(
	ctx context.Context,
	c *connect.Connection,
	users []userdb.UserID,
	opts migrate.ForgetOptions,
) ([]Line, error) {
	lines := make([]Line, len(users))
	err := parallel.Each(ctx, len(users), c.Concurrency, func(ctx context.Context, i int) error {
		line, err := lineOf(ctx, c.Engine, users[i], opts)
		if err != nil && ctx.Err() == nil {
			if userdb.KindOf(err) == userdb.Unauthorized {
				return err
			}
			described := userdb.ErrorOf(err)
			line.Error = &described
		}
		lines[i] = line
		return ctx.Err()
	})
	if err == nil {
		settleUnknown(ctx, c.Engine, lines)
	}
	return lines, err
}

func lineOf(
	ctx context.Context,
	e *migrate.Engine,
	u userdb.UserID,
	opts migrate.ForgetOptions,
) (Line, error) {
	line := Line{User: u}
	traces, err := e.Traces(ctx, u, opts.ArchivePrefix)
	if err != nil {
		return line, err
	}
	line.Plan, line.Kept = planDelete, len(traces.Kept)
	if traces.None() {
		line.Plan = planNothing
	}
	line.Serves, _, _ = userfile.Serves(traces.Object, traces.File)
	if traces.File.Absent && traces.Object.Phase == userdb.Empty {
		line.Serves = userfile.SideUnknown
	}
	line.unknown = traces.None() && traces.Object.Gen == 0
	line.Bytes = traces.File.Size
	if !userfile.HoldsNothing(traces.Object.Phase) {
		line.ObjectBytes = traces.Object.DatabaseBytes
	}
	line.Beside, err = e.CountBeside(ctx, u)
	return line, err
}

// settleUnknown asks for the flags of users who seem to be unknown: one with a flag has something to delete.
// Where KV does not answer, nobody is called unknown.
func settleUnknown(ctx context.Context, e *migrate.Engine, lines []Line) {
	users := Unknown(lines)
	if len(users) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, flagPatience)
	defer cancel()
	for _, kind := range []migrate.Flags{e.Flags, e.SplitFlags} {
		flagged, err := kind.Get(ctx, users)
		for i := range lines {
			_, has := flagged[lines[i].User]
			lines[i].unknown = lines[i].unknown && !has && err == nil
		}
	}
}

// flagPatience is how long flags are waited for that only say whether a user is unknown.
const flagPatience = 10 * time.Second

// Unknown are the users who have nothing at all. Who was deleted before is not among them: the object keeps
// the number of that claim.
func Unknown(lines []Line) (unknown []userdb.UserID) {
	for _, l := range lines {
		if l.unknown {
			unknown = append(unknown, l.User)
		}
	}
	return unknown
}

// Print shows the plan, and sums it up.
func Print(out *terminal.Output, lines []Line) (Totals, error) {
	sheet, totals := terminal.NewSheet(out, columns), Sum(lines)
	for _, line := range lines {
		if err := sheet.Add(line); err != nil {
			return totals, err
		}
	}
	return totals, sheet.End(map[string]any{"summary": totals})
}

// Sum sums a plan up.
func Sum(lines []Line) Totals {
	t := Totals{Action: string(result.ActionForget), DryRun: true, Users: len(lines)}
	for _, l := range lines {
		if l.Error != nil {
			t.Failed++
		}
		if l.Plan == planDelete {
			t.Delete++
		}
		t.Bytes += l.Bytes + l.ObjectBytes
		t.Beside += l.Beside
	}
	return t
}

// Say says in sentences what goes and what stays.
func (t Totals) Say(say func(string, ...any)) {
	say(
		"forget: would delete everything of %s, %s in files and Durable Objects; nothing brings it back",
		units.Plural(t.Delete, "user"), units.FormatSize(t.Bytes),
	)
	say(
		"not touched: %s beside the files, such as videos; run records, audit lines and waiting gc plans that name "+
			"users; backups; what gc archived, without --archive-prefix; the 30 days for which Cloudflare can set a Durable Object back",
		units.Plural(t.Beside, "R2 object"),
	)
}

// Words are what confirms the deletion of these users and of no others.
func Words(users []userdb.UserID) string {
	if len(users) == 1 {
		return fmt.Sprintf("delete everything of %s", users[0])
	}
	var names []string
	for _, u := range users {
		names = append(names, string(u))
	}
	slices.Sort(names)
	digest := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return fmt.Sprintf("delete everything of %d users %s", len(users), hex.EncodeToString(digest[:4]))
}

// Confirm asks for the words.
func Confirm(ctx context.Context, p prompt.Prompt, users []userdb.UserID, given string) error {
	return p.Confirm(ctx, "forget", Words(users), given)
}

// Run deletes the users of a plan, and then takes those who are gone out of the histories of scans.
func Run(
	ctx context.Context,
	runner *fleet.Runner,
	lines []Line,
	opts migrate.ForgetOptions,
	past scan.History,
	warn func(string, ...any),
) (fleet.Summary, error) {
	e := runner.Engine
	gone := &gone{}
	runner.Observers = append(runner.Observers, gone)
	var users []inspect.Found
	for _, l := range lines {
		found := inspect.Found{User: l.User, Bytes: l.Bytes}
		if l.unknown {
			found.Place = inspect.PlaceMissing
		}
		users = append(users, found)
	}
	summary, err := runner.Run(ctx, fleet.All(users), fleet.Job{
		Action: result.ActionForget,
		Do: func(ctx context.Context, u userdb.UserID) result.Result {
			return e.Forget(ctx, u, opts)
		},
	})
	if err != nil {
		return summary, err
	}
	if err := past.Forget(context.WithoutCancel(ctx), e.Files, e.Scratch, gone.users); err != nil {
		warn("the history of scans still names the users: %v; run the command again", err)
		summary.Exit = fleet.ExitFailed
	}
	return summary, nil
}

// gone remembers who was deleted.
type gone struct {
	users []string
}

// Begin is told that a run begins.
func (*gone) Begin(fleet.Begin) {}

// Begun is told of a user who is begun.
func (*gone) Begun(userdb.UserID) {}

// User notes a user who is gone.
func (g *gone) User(r result.Result) {
	if r.Outcome == result.OutcomeForgotten || r.Outcome == result.OutcomeNothing {
		g.users = append(g.users, string(r.User))
	}
}

// Wave is told of a wave; a deletion has one.
func (*gone) Wave(*fleet.WaveLine) {}

// End is told that a run has ended.
func (*gone) End(*fleet.Summary) {}

// Left is told that the operator did not wait.
func (*gone) Left() {}

var columns = []terminal.Column[Line]{
	{Head: "USER", Field: "user", Text: func(l Line) string { return string(l.User) }},
	{Head: "PLAN", Keep: true, Field: "plan", Text: func(l Line) string { return l.Plan }},
	{Head: "SERVED BY", Keep: true, Field: "servedBy", Text: func(l Line) string { return string(l.Serves) }},
	{
		Head: "FILE", Field: "bytes", Right: true,
		Text: func(l Line) string { return units.FormatSize(l.Bytes) },
		Data: func(l Line) string { return fmt.Sprint(l.Bytes) },
	},
	{
		Head: "OBJECT", Field: "objectBytes", Right: true,
		Text: func(l Line) string { return units.FormatSize(l.ObjectBytes) },
		Data: func(l Line) string { return fmt.Sprint(l.ObjectBytes) },
	},
	{Head: "KEPT", Field: "kept", Right: true, Text: func(l Line) string { return fmt.Sprint(l.Kept) }},
	{Head: "STAYS", Field: "beside", Right: true, Text: func(l Line) string { return fmt.Sprint(l.Beside) }},
	{Head: "REASON", Field: "error", Text: func(l Line) string {
		if l.Error == nil {
			return ""
		}
		return l.Error.Message
	}},
}
