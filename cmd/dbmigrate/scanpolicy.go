package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// What a scan says about a split, promised in docs/scripting.md.
const (
	splitReady   = "ready"   // rows would move
	splitNothing = "nothing" // no row is cold
	splitBlocked = "blocked" // the policy does not fit, or a Durable Object could not hold the database
	splitFailed  = "failed"  // the object cannot be read
	splitNoFile  = "no-file" // nothing in R2 to split: no file, or the Durable Object serves
)

// splitLine is one user of a scan with a policy.
type splitLine struct {
	User    userdb.UserID    `json:"user"`
	Key     userdb.ObjectKey `json:"key"`
	Bytes   int64            `json:"bytes"`
	Place   migrate.Place    `json:"place"`
	Verdict string           `json:"split"`
	// HotBytes is an estimate.
	HotBytes  int64             `json:"hotBytes,omitempty"`
	ColdRows  int64             `json:"coldRows,omitempty"`
	ColdBytes int64             `json:"coldBytes,omitempty"`
	Tables    []split.TablePlan `json:"tables,omitempty"`

	Blocked []string             `json:"blocked,omitempty"`
	Reasons []sqlitefile.Problem `json:"reasons,omitempty"`
	Error   *report.ErrorJSON    `json:"error,omitempty"`
}

// splitTotals is the summary.
type splitTotals struct {
	Users     int    `json:"users"`
	Bytes     int64  `json:"bytes"`
	At        string `json:"at"`
	Ready     int    `json:"ready"`
	Nothing   int    `json:"nothing"`
	Blocked   int    `json:"blocked"`
	NoFile    int    `json:"noFile"`
	Failed    int    `json:"failed,omitempty"`
	ColdRows  int64  `json:"coldRows"`
	ColdBytes int64  `json:"coldBytes"`
	HotBytes  int64  `json:"hotBytes"`
	FileBytes int64  `json:"fileBytes"`
}

// scanArguments: users are named only for a policy.
func scanArguments(o *scanOptions) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if o.policy != "" {
			return nil
		}
		return noArguments(cmd, args)
	}
}

// Flags of scan that make sense only with a policy, and those that make sense with one.
var (
	policyOnly = []string{"all", "users-file", "over", "percent", "exclude", "shard"}
	policyToo  = append([]string{"policy", "prefix", "threshold", "concurrency"}, policyOnly...)
)

// checkPolicyFlags refuses what would be ignored.
func checkPolicyFlags(cmd *cobra.Command, policy string) (err error) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		switch {
		case !f.Changed:
		case policy == "" && f.Name == "policy":
			err = cmp.Or(err, usageError("read --policy", "", "its value is empty", "name the policy's file; is a variable not set?"))
		case policy == "" && slices.Contains(policyOnly, f.Name):
			err = cmp.Or(err, usageError("read --"+f.Name, "", "it chooses users for --policy", "a scan without one is of the whole bucket; --prefix narrows it"))
		case policy != "" && !slices.Contains(policyToo, f.Name):
			err = cmp.Or(err, usageError("read --"+f.Name, "", "it says nothing about a split", "leave it out, or scan without --policy"))
		}
	})
	return err
}

// scanPolicy says for each chosen user what a split would move.
func (a *app) scanPolicy(cmd *cobra.Command, o *scanOptions, args []string) error {
	policy, err := split.LoadPolicy(o.policy)
	if err != nil {
		return err
	}
	if len(args) == 0 && o.UsersFile == "" && !o.All && !o.Over.Given {
		o.Over = units.SizeFlag{Bytes: o.threshold.Bytes, Given: true}
	}
	o.WithoutFlags, o.Talk = true, a.out
	set, err := o.Parse(args, a.stdin)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	e, _, err := a.connectReading(cmd.Flags().Changed("env"))
	if err != nil {
		return err
	}
	found, err := set.Resolve(ctx, e)
	if err != nil {
		return err
	}
	at := time.Now()
	lines, err := a.lookSplits(ctx, e, found, o.concurrency, policy, at)
	if err != nil {
		return err
	}
	failed := slices.ContainsFunc(lines, func(l splitLine) bool { return l.Error != nil })
	if err := a.printSplits(lines, at); err != nil || !set.FlagsUnread && !failed {
		return err
	}
	return ended(exitFailed)
}

func (a *app) lookSplits(ctx context.Context, e *migrate.Engine, found []migrate.Found, atOnce int, policy *split.Policy, at time.Time) ([]splitLine, error) {
	lines, sizes := make([]splitLine, len(found)), map[string]int64{}
	for i, f := range found {
		lines[i] = splitLine{User: f.User, Key: f.Key, Bytes: f.Bytes, Place: f.Place, Verdict: splitNoFile}
		if f.Place == migrate.PlaceUnreadable {
			lines[i].fail(f.Err)
		}
		if hasRows(f.Place) {
			sizes[string(f.User)] = f.Bytes
		}
	}
	progress := a.out.NewProgress("scan", sizes, nil)
	defer progress.Close()
	var sick migrate.Sick
	err := parallel.Each(ctx, len(lines), atOnce, func(ctx context.Context, i int) error {
		if !hasRows(lines[i].Place) {
			return nil
		}
		err := lines[i].look(ctx, e, policy, at)
		if err != nil {
			lines[i].fail(err)
		}
		progress.Finish(string(lines[i].User), err == nil && len(lines[i].Blocked) == 0)
		return sick.Saw(err)
	})
	return lines, cmp.Or(err, sick.Most())
}

// fail notes that the object cannot be read.
func (l *splitLine) fail(err error) {
	described := report.ErrorOf(err)
	l.Verdict, l.Error = splitFailed, &described
}

// hasRows says whether the file has rows that could move: all of the user's, or the hot ones of one who is split.
func hasRows(p migrate.Place) bool { return p == migrate.PlaceR2 || p == migrate.PlaceSplit }

func (l *splitLine) look(ctx context.Context, e *migrate.Engine, policy *split.Policy, at time.Time) error {
	plan, found, err := e.LookSplit(ctx, l.User, policy, at)
	switch userdb.KindOf(err) {
	case "":
		l.take(plan)
		return nil
	case userdb.NotFound:
		return nil
	case userdb.NotSQLite, userdb.Damaged, userdb.Blocked, userdb.TooCostly:
		l.Verdict, l.Blocked, l.Reasons = splitBlocked, []string{err.Error()}, found.Problems()
		return nil
	}
	return err
}

func (l *splitLine) take(plan *split.Plan) {
	l.Verdict, l.HotBytes, l.ColdRows = splitReady, plan.HotBytesEstimate, plan.ColdRows()
	if plan.Empty() {
		l.Verdict = splitNothing
	}
	for _, t := range plan.Tables {
		if t.ColdRows > 0 {
			l.ColdBytes += t.ColdBytes
			l.Tables = append(l.Tables, t)
		}
	}
}

func (a *app) printSplits(lines []splitLine, at time.Time) error {
	sheet, totals := report.NewSheet(a.out, splitColumns), splitTotals{At: at.UTC().Format(time.RFC3339)}
	for _, l := range lines {
		totals.add(l)
		if err := sheet.Add(l); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	a.out.Say("scan: %s with %s; %d to split: %s would move, and about %s of %s stay in R2; %d with nothing to move, %d blocked",
		plural(totals.Users, "user"), units.FormatSize(totals.Bytes), totals.Ready, plural(int(totals.ColdRows), "row"),
		units.FormatSize(totals.HotBytes), units.FormatSize(totals.FileBytes), totals.Nothing, totals.Blocked)
	return nil
}

func (t *splitTotals) add(l splitLine) {
	t.Users++
	t.Bytes += l.Bytes
	switch l.Verdict {
	case splitReady:
		t.Ready++
		t.ColdRows += l.ColdRows
		t.ColdBytes += l.ColdBytes
		t.HotBytes += l.HotBytes
		t.FileBytes += l.Bytes
	case splitNothing:
		t.Nothing++
	case splitBlocked:
		t.Blocked++
	case splitFailed:
		t.Failed++
	case splitNoFile:
		t.NoFile++
	}
}

var splitColumns = []report.Column[splitLine]{
	{Head: "USER", Field: "user", Text: func(l splitLine) string { return string(l.User) }},
	{Head: "SIZE", Field: "bytes", Right: true, Text: func(l splitLine) string { return units.FormatSize(l.Bytes) }, Data: func(l splitLine) string { return strconv.FormatInt(l.Bytes, 10) }},
	{Head: "SPLIT", Field: "split", Text: func(l splitLine) string { return l.Verdict }, Style: splitStyle},
	{Head: "HOT FILE", Field: "hotBytes", Right: true, Text: hotText, Data: func(l splitLine) string { return orNothing(l.HotBytes) }},
	{Head: "COLD ROWS", Field: "coldRows", Right: true, Text: func(l splitLine) string { return orNothing(l.ColdRows) }},
	{Head: "COLD", Field: "coldBytes", Right: true, Text: coldText, Data: func(l splitLine) string { return orNothing(l.ColdBytes) }},
	{Head: "TABLES", Field: "tables", Text: splitTablesText},
	{Head: "BLOCKED", Field: "blocked", Text: refusedText, Style: func(splitLine) report.Style { return report.Bad }},
}

func refusedText(l splitLine) string {
	if l.Error != nil {
		return l.Error.Message
	}
	return strings.Join(l.Blocked, "; ")
}

func splitStyle(l splitLine) report.Style {
	switch l.Verdict {
	case splitReady:
		return report.Attention
	case splitBlocked, splitFailed:
		return report.Bad
	}
	return report.Faint
}

func hotText(l splitLine) string {
	if l.HotBytes == 0 {
		return ""
	}
	return "~" + units.FormatSize(l.HotBytes)
}

func coldText(l splitLine) string {
	if l.ColdBytes == 0 {
		return ""
	}
	return units.FormatSize(l.ColdBytes)
}

// splitTablesText is each table with its cold rows of all.
func splitTablesText(l splitLine) string {
	var parts []string
	for _, t := range l.Tables {
		parts = append(parts, fmt.Sprintf("%s: %d of %d", t.Name, t.ColdRows, t.ColdRows+t.HotRows))
	}
	return strings.Join(parts, "; ")
}
