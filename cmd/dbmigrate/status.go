package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type statusOptions struct {
	prefix      string
	all         bool
	run         string
	concurrency int
}

func newStatus(a *app) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status [USER...]",
		Short: "Say where each user lives, since when, and what is half-done",
		Long: "Say who serves each user, the file or the Durable Object, since when and by which run, and which command ends what is\n" +
			"half-done. Users who are named, or who are in a run's record (--run), are asked on both sides: that is the truth.\n\n" +
			"Without users it shows everybody who has a flag, from the flags alone, and counts the others from a listing: a few requests for\n" +
			"each thousand users, but hints. A user who was left between fence and switch may have no flag. --all asks everybody's file,\n" +
			"and both sides of all who left R2.",
		Example: "  dbmigrate status\n" +
			"  dbmigrate status alice bob\n" +
			"  dbmigrate status --run 20261126T040000Z-9f3c21aa\n" +
			"  dbmigrate status --all --output json | jq 'select(.problem)'",
		Annotations: manual{
			reads:   "the flags and a listing of the bucket; both sides of users who are named, of a run's, and with --all of all who left R2",
			changes: "nothing",
			exits:   []int{exitDone, exitFailed, exitUsage, exitInterrupted},
		}.annotations(),
		RunE: func(cmd *cobra.Command, args []string) error { return a.status(cmd, &o, args) },
	}
	cmd.Flags().StringVar(&o.prefix, "prefix", "", "only users with an id that begins with this")
	cmd.Flags().BoolVar(&o.all, "all", false, "ask everybody's file, and both sides of all who left R2")
	cmd.Flags().StringVar(&o.run, "run", "", "the users of the run with this `id`, and where they are now")
	cmd.Flags().IntVar(&o.concurrency, "concurrency", defaultConcurrency, "how many users are asked at once")
	return cmd
}

// statusTotals is the summary of a status (docs/scripting.md).
type statusTotals struct {
	Source   string `json:"source"` // sides or flags
	File     int    `json:"file"`
	Store    int    `json:"store"`
	Split    int    `json:"split,omitempty"`
	Neither  int    `json:"neither"`
	Problems int    `json:"problems"`
	Failed   int    `json:"failed"`

	Quarantined int `json:"quarantined"`

	FlagsUnread bool `json:"flagsUnread,omitempty"`
}

// stateLine is one user's state, or why it could not be found out.
type stateLine struct {
	migrate.State
	Source  string `json:"source"`
	Outcome string `json:"outcome,omitempty"` // in the run that was asked for
	// Quarantined is why migrate does not try this version of the file again.
	Quarantined userdb.Kind       `json:"quarantined,omitempty"`
	Error       *report.ErrorJSON `json:"error,omitempty"`
}

func (a *app) status(cmd *cobra.Command, o *statusOptions, args []string) error {
	if err := (&pace{concurrency: o.concurrency}).check(); err != nil {
		return err
	}
	named, err := selection.ParseIDs(args)
	if err != nil {
		return err
	}
	if err := o.contradiction(args); err != nil {
		return err
	}
	c, err := a.source(cmd).All(cmd.Context(), connect.Need{Concurrency: o.concurrency})
	if err != nil {
		return err
	}
	e := c.Engine
	users, totals, outcomes := named, statusTotals{Source: sourceSides}, map[userdb.UserID]string{}
	var onlyMarked map[userdb.UserID]bool
	if len(args) == 0 && o.run == "" && !o.all {
		return a.statusByFlags(cmd.Context(), e, o.prefix)
	}
	known, err := e.Quarantine.Load(cmd.Context(), o.prefix)
	if err != nil {
		return err
	}
	switch {
	case o.run != "":
		users, outcomes, err = a.usersOfRun(cmd, o)
	case o.all:
		users, onlyMarked, totals.File, err = leftR2(cmd.Context(), e, o.prefix, known, func(err error) {
			totals.FlagsUnread = true
			selection.WarnUnread(a.out, err)
		})
	}
	if err != nil {
		return err
	}
	lines := make([]stateLine, len(users))
	err = parallel.Each(cmd.Context(), len(users), o.concurrency, func(ctx context.Context, i int) error {
		lines[i] = stateOf(ctx, e, users[i])
		lines[i].Outcome = outcomes[users[i]]
		lines[i].Quarantined = known.Reason(users[i], lines[i].ETag)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	return a.printStatus(notable(lines, onlyMarked, &totals), totals)
}

// notable leaves out, and counts, users who were rolled back: only a mark is left in the file, and R2 serves
// them like anybody.
func notable(lines []stateLine, onlyMarked map[userdb.UserID]bool, totals *statusTotals) []stateLine {
	return selection.Kept(lines, func(l stateLine) bool {
		rolledBack := onlyMarked[l.User] && l.Error == nil && l.Serves == migrate.SideFile && l.Problem == ""
		if rolledBack {
			totals.File++
		}
		return !rolledBack
	})
}

// leftR2 names the users who are not simply in R2, and counts those who are. A user in quarantine is not
// simply in R2. A user with only a mark in the file is asked, too: it may be a foreign mark, which the
// Durable Object alone can tell.
func leftR2(
	ctx context.Context,
	e *migrate.Engine,
	prefix string,
	known migrate.Quarantined,
	withoutFlags func(error),
) (
	left []userdb.UserID, onlyMarked map[userdb.UserID]bool, others int, err error) {
	found, err := e.Scan(ctx, migrate.ScanOptions{Prefix: prefix, Marks: true, WithoutFlags: withoutFlags})
	if err != nil {
		return nil, nil, 0, err
	}
	onlyMarked = map[userdb.UserID]bool{}
	for _, f := range found {
		switch {
		case selection.LeftItsFile(f) || known.Reason(f.User, f.ETag) != "":
			left = append(left, f.User)
		case f.Marked:
			left, onlyMarked[f.User] = append(left, f.User), true
		default:
			others++
		}
	}
	return left, onlyMarked, others, nil
}

func stateOf(ctx context.Context, e *migrate.Engine, u userdb.UserID) stateLine {
	state, err := e.Status(ctx, u)
	if err != nil {
		described := report.ErrorOf(err)
		return stateLine{State: migrate.State{User: u}, Source: sourceSides, Error: &described}
	}
	return stateLine{State: state, Source: sourceSides}
}

func (t *statusTotals) add(l stateLine) {
	switch {
	case l.Error != nil:
		t.Failed++
	case l.Serves == migrate.SideFile:
		t.File++
	case l.Serves == migrate.SideStore:
		t.Store++
	case l.Serves == migrate.SideSplit:
		t.Split++
	default:
		t.Neither++
	}
	if l.Problem != "" {
		t.Problems++
	}
	if l.Quarantined != "" {
		t.Quarantined++
	}
}

func (a *app) printStatus(lines []stateLine, totals statusTotals) error {
	sheet := report.NewSheet(a.out, stateColumns)
	for _, l := range lines {
		totals.add(l)
		if err := sheet.Add(l); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	split := ""
	if totals.Split > 0 {
		split = fmt.Sprintf("%d split, ", totals.Split)
	}
	a.out.Say(
		"status: %d in R2, %d in Durable Objects, %s%d in between; %s",
		totals.File,
		totals.Store,
		split,
		totals.Neither,
		units.Plural(totals.Problems, "problem"),
	)
	if totals.Failed > 0 {
		a.out.Warn("status: %s could not be asked", units.Plural(totals.Failed, "user"))
		return ended(exitFailed)
	}
	if totals.FlagsUnread {
		return ended(exitFailed)
	}
	return nil
}

var stateColumns = []report.Column[stateLine]{
	{Head: "USER", Field: "user", Text: func(l stateLine) string { return string(l.User) }},
	{
		Head:  "SERVED BY",
		Field: "serves",
		Text:  servesText,
		Data:  func(l stateLine) string { return string(l.Serves) },
		Style: servesStyle,
	},
	{Head: "OUTCOME", Field: "outcome", Text: func(l stateLine) string { return l.Outcome }},
	{Head: "PHASE", Field: "phase", Text: func(l stateLine) string { return string(l.Phase) }},
	{Head: "FILE", Field: "file", Text: func(l stateLine) string { return l.File }},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  sizeText,
		Data:  func(l stateLine) string { return strconv.FormatInt(l.Bytes, 10) },
	},
	{
		Head:  "WRITES SINCE",
		Field: "writesSince",
		Right: true,
		Text:  func(l stateLine) string { return report.OrNothing(l.Writes) },
	},
	{
		Head:  "TO THAW",
		Field: "thaws",
		Right: true,
		Text:  func(l stateLine) string { return report.OrNothing(l.Thaws) },
	},
	{
		Head:  "MIGRATED",
		Field: "migratedAt",
		Text:  migratedText,
		Data:  func(l stateLine) string { return report.OrNothing(l.At) },
	},
	{Head: "RUN", Field: "run", Text: func(l stateLine) string { return l.Run }},
	{
		Head:  "PROBLEM",
		Field: "problem",
		Text:  problemText,
		Data:  func(l stateLine) string { return l.Problem },
		Style: func(stateLine) report.Style { return report.Attention },
	},
}

func servesText(l stateLine) string {
	switch l.Serves {
	case migrate.SideFile:
		return "R2"
	case migrate.SideStore:
		return "Durable Object"
	case migrate.SideSplit:
		return "R2 and Durable Object"
	case migrate.SideNeither:
		return "neither"
	}
	return "?"
}

func servesStyle(l stateLine) report.Style {
	switch l.Serves {
	case migrate.SideStore, migrate.SideSplit:
		return report.Good
	case migrate.SideNeither:
		return report.Bad
	}
	return report.Plain
}

func sizeText(l stateLine) string { return units.FormatSize(l.Bytes) }

func migratedText(l stateLine) string {
	if l.At == 0 {
		return ""
	}
	return time.UnixMilli(l.At).UTC().Format(time.RFC3339)
}

func problemText(l stateLine) string {
	switch {
	case l.Error != nil:
		return l.Error.Message
	case l.Quarantined != "":
		return "in quarantine: " + string(l.Quarantined)
	case l.Next != "":
		return fmt.Sprintf("%s (next: %s)", l.Problem, l.Next)
	}
	return l.Problem
}
