package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// keepFor is the age from which gc frees files, unless --older-than says otherwise.
const keepFor = 30 * units.Day

type gcOptions struct {
	selection   selection
	olderThan   ageValue
	confirm     string
	concurrency int
}

func newGC(a *app) *cobra.Command {
	var o gcOptions
	o.olderThan = ageValue{keepFor, units.FormatDuration(keepFor)}
	cmd := &cobra.Command{
		Use:   "gc [USER...]",
		Short: "Free the kept files of users who migrated long ago",
		Long: "Free the files that R2 still keeps of migrated users. Without --confirm it only prints the plan: what would be freed, what\n" +
			"is kept and why, and the plan's name. --confirm NAME makes the plan again and frees exactly that; when anything has\n" +
			"changed in between, the name is another one and nothing is freed.\n\n" +
			"A file is freed only when, at that moment, the Durable Object serves the user and can be read as a whole, flag and\n" +
			"receipt are of the same migration, the object is bit by bit the one that was fenced, and the migration is old enough.\n" +
			"A tombstone of a few hundred bytes takes its place. No other object is touched.",
		Example: "  dbmigrate gc\n" +
			"  dbmigrate gc alice --older-than 90d\n" +
			"  dbmigrate gc --older-than 90d --confirm 3f9a0c1b22de",
		Annotations: manual{
			reads:   "the flags, the files, the receipts; with --confirm, every row in the Durable Objects concerned",
			changes: "nothing without --confirm; with it, the freed users' files become tombstones",
			undo:    "not needed for the users: rollback works from the Durable Object; the old file does not come back",
			exits:   []int{exitDone, exitFailed, exitUsage, exitInterrupted},
		}.annotations(),
		RunE: func(cmd *cobra.Command, args []string) error { return a.gc(cmd, &o, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.selection.usersFile, "users-file", "", "`file` with one user id a line; \"-\" is standard input, # begins a comment")
	flags.StringVar(&o.selection.prefix, "prefix", "", "only users whose id begins with this")
	flags.Var(&o.olderThan, "older-than", "keep the files of younger migrations; w, d, h, m, s")
	flags.StringVar(&o.confirm, "confirm", "", "`name` of the plan to carry out")
	flags.IntVar(&o.concurrency, "concurrency", defaultConcurrency, "how many users are worked on at once")
	return cmd
}

func (a *app) gc(cmd *cobra.Command, o *gcOptions, args []string) error {
	o.selection.all, o.selection.percent = true, 100
	if err := o.selection.read(args, cmd.InOrStdin()); err != nil {
		return err
	}
	if err := (&pace{concurrency: o.concurrency}).check(); err != nil {
		return err
	}
	ctx := cmd.Context()
	e, err := a.connect(ctx, cmd.Flags().Changed("env"), o.concurrency, false)
	if err != nil {
		return err
	}
	found, err := gcScan(ctx, e, &o.selection)
	if err != nil {
		return err
	}
	candidates := notOnlyInR2(found)
	plan, err := makeGCPlan(ctx, e, candidates, o.olderThan.Duration)
	if err != nil {
		return err
	}
	if o.confirm == "" {
		return a.printGCPlan(plan, o.olderThan.typed, len(found)-len(candidates))
	}
	if o.confirm != plan.Digest() {
		return usageError("free files", "", fmt.Sprintf("the plan is %s now, not %s: nothing was freed", plan.Digest(), o.confirm),
			"what is there, or --older-than, is not what you looked at; look at the plan again with `dbmigrate gc`")
	}
	return a.executeGC(ctx, e, plan, candidates)
}

// gcScan looks at the named users, or at everybody. Users that were named but of whom nobody is left (an empty file, two lists with nobody in
// common) are nobody: to the engine an empty list means everybody.
func gcScan(ctx context.Context, e *migrate.Engine, s *selection) ([]migrate.Found, error) {
	if !s.wide && len(s.named) == 0 {
		return nil, nil
	}
	return e.Scan(ctx, migrate.ScanOptions{Users: s.named, Prefix: s.prefix, Marks: true})
}

// makeGCPlan looks at every candidate. The plan's order does not depend on who answered first, because its digest must not.
func makeGCPlan(ctx context.Context, e *migrate.Engine, candidates []migrate.Found, olderThan time.Duration) (migrate.GCPlan, error) {
	items, keeps := make([]*migrate.GCItem, len(candidates)), make([]migrate.Result, len(candidates))
	err := sideBySide(ctx, len(candidates), e.Concurrency, func(ctx context.Context, i int) error {
		items[i], keeps[i] = e.PlanGC(ctx, candidates[i], olderThan)
		return ctx.Err()
	})
	plan := migrate.GCPlan{OlderThan: olderThan}
	for i, item := range items {
		if item != nil {
			plan.Free = append(plan.Free, *item)
		} else {
			plan.Keep = append(plan.Keep, keeps[i])
		}
	}
	slices.SortFunc(plan.Free, func(a, b migrate.GCItem) int { return strings.Compare(string(a.User), string(b.User)) })
	return plan, err
}

// gcLine is one line of a plan (docs/scripting.md).
type gcLine struct {
	User       userdb.UserID     `json:"user"`
	Key        userdb.ObjectKey  `json:"key,omitempty"`
	Plan       string            `json:"plan"` // free or keep
	Bytes      int64             `json:"bytes"`
	MigratedAt int64             `json:"migratedAt,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Error      *report.ErrorJSON `json:"error,omitempty"`
}

const (
	gcFree = "free"
	gcKeep = "keep"
)

// gcTotals is the summary of a plan (docs/scripting.md).
type gcTotals struct {
	Action        string `json:"action"`
	DryRun        bool   `json:"dryRun"`
	Plan          string `json:"plan"`
	Free          int    `json:"free"`
	FreeBytes     int64  `json:"freeBytes"`
	Keep          int    `json:"keep"`
	Failed        int    `json:"failed"`
	NotMigrated   int    `json:"notMigrated"`
	OlderThanSecs int64  `json:"olderThanSeconds"`
}

func (a *app) printGCPlan(plan migrate.GCPlan, olderThan string, notMigrated int) error {
	sheet := report.NewSheet(a.out, gcColumns(time.Now()))
	totals := gcTotals{Action: string(migrate.ActionGC), DryRun: true, Plan: plan.Digest(), Free: len(plan.Free), FreeBytes: plan.Bytes(),
		Keep: len(plan.Keep), NotMigrated: notMigrated, OlderThanSecs: int64(plan.OlderThan.Seconds())}
	for _, line := range gcLines(plan) {
		if line.Error != nil {
			totals.Failed++
		}
		if err := sheet.Add(line); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	a.out.Say("gc: would free %s of %s, keep %d; %s only in R2", units.FormatSize(totals.FreeBytes), plural(totals.Free, "user"), totals.Keep, plural(notMigrated, "user"))
	if totals.Free > 0 {
		a.out.Say("nothing was changed; to free exactly this, say the same (--older-than %s) with --confirm %s", olderThan, totals.Plan)
	}
	if totals.Failed > 0 {
		return ended(exitFailed)
	}
	return nil
}

func gcLines(plan migrate.GCPlan) []gcLine {
	var lines []gcLine
	for _, item := range plan.Free {
		lines = append(lines, gcLine{User: item.User, Key: item.Key, Plan: gcFree, Bytes: item.Bytes, MigratedAt: item.MigratedAt})
	}
	for _, kept := range plan.Keep {
		line := gcLine{User: kept.User, Plan: gcKeep, Bytes: kept.Bytes, Reason: kept.Reason}
		if err := kept.Err(); err != nil {
			described := report.ErrorOf(err)
			line.Error = &described
		}
		lines = append(lines, line)
	}
	return lines
}

func gcColumns(now time.Time) []report.Column[gcLine] {
	return []report.Column[gcLine]{
		{Head: "USER", Field: "user", Text: func(l gcLine) string { return string(l.User) }},
		{Head: "PLAN", Field: "plan", Text: func(l gcLine) string { return l.Plan }, Style: func(l gcLine) report.Style {
			if l.Plan == gcFree {
				return report.Attention
			}
			return report.Faint
		}},
		{Head: "SIZE", Field: "bytes", Right: true, Text: func(l gcLine) string { return units.FormatSize(l.Bytes) }, Data: func(l gcLine) string { return fmt.Sprint(l.Bytes) }},
		{Head: "AGE", Field: "migratedAt", Right: true, Text: func(l gcLine) string {
			if l.MigratedAt == 0 {
				return ""
			}
			return units.FormatDuration(now.Sub(time.UnixMilli(l.MigratedAt)))
		}, Data: func(l gcLine) string { return orNothing(l.MigratedAt) }},
		{Head: "REASON", Field: "reason", Text: func(l gcLine) string {
			if l.Error != nil {
				return l.Error.Message
			}
			return l.Reason
		}},
	}
}

// executeGC frees the plan's files; each is proved again at its moment.
func (a *app) executeGC(ctx context.Context, e *migrate.Engine, plan migrate.GCPlan, candidates []migrate.Found) error {
	items, flags := map[userdb.UserID]migrate.GCItem{}, map[userdb.UserID]userdb.FlagMeta{}
	for _, item := range plan.Free {
		items[item.User] = item
	}
	var users []migrate.Found
	for _, f := range candidates {
		if _, planned := items[f.User]; planned {
			flags[f.User] = f.Flag
			users = append(users, f)
		}
	}
	run := &fleetRun{app: a, engine: e, action: migrate.ActionGC,
		do: func(ctx context.Context, u userdb.UserID) migrate.Result {
			return e.GC(ctx, items[u], flags[u], plan.OlderThan)
		}}
	return run.run(ctx, users)
}
