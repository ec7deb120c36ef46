// Package restore says what a restore would replace, and asks for the words that confirm it.
package restore

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/prompt"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/backup"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Line is the plan of one user, or why there is none.
type Line struct {
	migrate.RestorePlan
	Error *userdb.ErrorJSON `json:"error,omitempty"`
}

var columns = []terminal.Column[Line]{
	{Head: "USER", Field: "user", Text: func(l Line) string { return string(l.User) }},
	{Head: "SERVED BY", Keep: true, Field: "servedBy", Text: func(l Line) string { return l.ServedBy }},
	size("NOW", "bytesNow", func(l Line) int64 { return l.BytesNow }),
	size("COMES", "bytes", func(l Line) int64 { return l.Bytes }),
	{Head: "ROWS", Field: "rows", Right: true, Text: func(l Line) string { return terminal.OrNothing(l.Rows) }},
	{Head: "TABLES", Field: "tables", Right: true, Text: func(l Line) string { return terminal.OrNothing(int64(l.Tables)) }},
	{Head: "REASON", Field: "reason", Text: reason},
}

func size(head, field string, of func(Line) int64) terminal.Column[Line] {
	return terminal.Column[Line]{
		Head: head, Field: field, Right: true,
		Text: func(l Line) string { return units.FormatSize(of(l)) },
		Data: func(l Line) string { return strconv.FormatInt(of(l), 10) },
	}
}

func reason(l Line) string {
	switch {
	case l.Error != nil:
		return l.Error.Message
	case l.Problem != "":
		return l.Problem
	case l.Same:
		return "the same rows are there already"
	}
	return ""
}

// Plan looks at everybody's file and at everybody, and changes nothing.
func Plan(ctx context.Context, c *connect.Chosen, from *backup.Sources) ([]Line, error) {
	lines := make([]Line, len(c.Users))
	err := parallel.Each(ctx, len(c.Users), c.Concurrency, func(ctx context.Context, i int) error {
		lines[i] = planOne(ctx, c, from, c.Users[i].User)
		return ctx.Err()
	})
	return lines, err
}

func planOne(ctx context.Context, c *connect.Chosen, from *backup.Sources, u userdb.UserID) Line {
	line := Line{RestorePlan: migrate.RestorePlan{User: u}}
	path, err := from.Fetch(ctx, c.Engine, u)
	if err == nil {
		defer os.Remove(path)
		line.RestorePlan, err = c.PlanRestore(ctx, u, path)
	}
	if err != nil {
		told := userdb.ErrorOf(err)
		line.Error = &told
	}
	return line
}

// Totals are of a dry run.
type Totals struct {
	Action string `json:"action"`
	DryRun bool   `json:"dryRun"`
	Users  int    `json:"users"`
	Failed int    `json:"failed"`
	Bytes  int64  `json:"bytes"`
}

// Print writes the plan down.
func Print(out *terminal.Output, lines []Line) (Totals, error) {
	totals := Totals{Action: "restore", DryRun: true, Users: len(lines)}
	sheet := terminal.NewSheet(out, columns)
	for _, l := range lines {
		totals.Bytes += l.Bytes
		if l.Error != nil {
			totals.Failed++
		}
		if err := sheet.Add(l); err != nil {
			return totals, err
		}
	}
	err := sheet.End(map[string]any{"summary": totals})
	out.Say("dry run: %s with %s; %d would fail; nothing was changed",
		units.Plural(totals.Users, "user"), units.FormatSize(totals.Bytes), totals.Failed)
	return totals, err
}

// words are what has to be typed. They say which users are replaced.
func words(users []inspect.Found) string {
	if len(users) == 1 {
		return fmt.Sprintf("replace the database of %s", users[0].User)
	}
	var named []string
	for _, f := range users {
		named = append(named, string(f.User))
	}
	return fmt.Sprintf("replace the databases of %d users %s", len(users), prompt.NameOf(named))
}

// replacedUsers are those who may have a database. Without a file, the Durable Object is asked.
func replacedUsers(ctx context.Context, c *connect.Chosen) (replaced []inspect.Found, err error) {
	has := make([]bool, len(c.Users))
	err = parallel.Each(ctx, len(c.Users), c.Concurrency, func(ctx context.Context, i int) error {
		if c.Users[i].Place != inspect.PlaceMissing {
			has[i] = true
			return nil
		}
		st, err := c.Stores.Status(ctx, c.Users[i].User)
		has[i] = st.Phase != "" && st.Phase != userdb.Empty
		return err
	})
	for i, f := range c.Users {
		if has[i] {
			replaced = append(replaced, f)
		}
	}
	return replaced, err
}

// Placed refuses where objects would be created anywhere: a restore asks the object of every user.
func Placed(c *connect.Chosen) error {
	for _, f := range c.Users {
		if f.Place == inspect.PlaceMissing || f.Place == inspect.PlaceFile {
			return c.Unplaced
		}
	}
	return nil
}

// Confirm asks for the words where anybody has a database that would be replaced.
func Confirm(ctx context.Context, c *connect.Chosen, given string, p prompt.Prompt, warn func(string, ...any)) error {
	replaced, err := replacedUsers(ctx, c)
	if err != nil || len(replaced) == 0 {
		return err
	}
	warn("%s would be replaced; what they hold now is kept under .dbmigrate/left-behind/ in the bucket",
		units.Plural(len(replaced), "database"))
	return p.ConfirmKept(ctx, "restore", words(replaced), given)
}
