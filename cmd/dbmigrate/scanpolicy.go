package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/scan"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/split"
)

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
	policyOnly = []string{"all", "users-file", "percent", "exclude", "shard"}
	policyToo  = append([]string{"policy", "prefix", "over", "concurrency"}, policyOnly...)
)

// checkPolicyFlags refuses what would be ignored.
func checkPolicyFlags(cmd *cobra.Command, policy string) (err error) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		switch {
		case !f.Changed:
		case policy == "" && f.Name == "policy":
			err = cmp.Or(
				err,
				usageError(
					"read --policy",
					"",
					"its value is empty",
					"name the policy's file; is a variable not set?",
				),
			)
		case policy == "" && slices.Contains(policyOnly, f.Name):
			err = cmp.Or(
				err,
				usageError(
					"read --"+f.Name,
					"",
					"it chooses users for --policy",
					"a scan without one is of the whole bucket; --prefix narrows it",
				),
			)
		case policy != "" && !slices.Contains(policyToo, f.Name):
			err = cmp.Or(
				err,
				usageError(
					"read --"+f.Name,
					"",
					"it says nothing about a split",
					"leave it out, or scan without --policy",
				),
			)
		}
	})
	return err
}

// defaultOver chooses who should move where nobody was chosen.
func defaultOver(nobody bool) units.SizeFlag {
	if !nobody {
		return units.SizeFlag{}
	}
	return units.SizeFlag{Bytes: scan.RecommendFrom, Given: true}
}

// scanPolicy says for each chosen user what a split would move.
func (a *app) scanPolicy(cmd *cobra.Command, o *scanOptions, args []string) error {
	policy, err := split.LoadPolicy(o.policy)
	if err != nil {
		return err
	}
	if !o.Over.Given {
		o.Over = defaultOver(len(args) == 0 && o.UsersFile == "" && !o.All)
	}
	o.WithoutFlags, o.Talk = true, a.out
	set, err := o.Parse(args, a.stdin)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	e, _, err := a.source(cmd).Reading(set.Shards())
	if err != nil {
		return err
	}
	found, err := set.Resolve(ctx, e)
	if err != nil {
		return err
	}
	r, err := scan.SurveySplit(
		ctx,
		e,
		found,
		policy,
		time.Now(),
		scan.Options{Concurrency: o.concurrency, Out: a.out},
	)
	if err != nil {
		return err
	}
	if err := a.printSplits(r); err != nil || !set.FlagsUnread && r.Totals.Failed == 0 {
		return err
	}
	return ended(exitFailed)
}

func (a *app) printSplits(r *scan.SplitReport) error {
	sheet, totals := report.NewSheet(a.out, splitColumns), r.Totals
	for _, l := range r.Users {
		if err := sheet.Add(l); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": totals}); err != nil {
		return err
	}
	a.out.Say(
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
	return nil
}

var splitColumns = []report.Column[scan.SplitUser]{
	{Head: "USER", Field: "user", Text: func(l scan.SplitUser) string { return string(l.User) }},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(l scan.SplitUser) string { return units.FormatSize(l.Bytes) },
		Data:  func(l scan.SplitUser) string { return strconv.FormatInt(l.Bytes, 10) },
	},
	{
		Head:  "SPLIT",
		Field: "split",
		Text:  func(l scan.SplitUser) string { return l.Verdict },
		Style: splitStyle,
	},
	{
		Head:  "HOT FILE",
		Field: "hotBytes",
		Right: true,
		Text:  hotText,
		Data:  func(l scan.SplitUser) string { return report.OrNothing(l.HotBytes) },
	},
	{
		Head:  "COLD ROWS",
		Field: "coldRows",
		Right: true,
		Text:  func(l scan.SplitUser) string { return report.OrNothing(l.ColdRows) },
	},
	{
		Head:  "COLD",
		Field: "coldBytes",
		Right: true,
		Text:  coldText,
		Data:  func(l scan.SplitUser) string { return report.OrNothing(l.ColdBytes) },
	},
	{Head: "TABLES", Field: "tables", Text: splitTablesText},
	{
		Head:  "BLOCKED",
		Field: "blocked",
		Text:  refusedText,
		Style: func(scan.SplitUser) report.Style { return report.Bad },
	},
}

func refusedText(l scan.SplitUser) string {
	if l.Error != nil {
		return l.Error.Message
	}
	return strings.Join(l.Blocked, "; ")
}

func splitStyle(l scan.SplitUser) report.Style {
	switch l.Verdict {
	case scan.SplitReady:
		return report.Attention
	case scan.SplitBlocked, scan.SplitFailed:
		return report.Bad
	}
	return report.Faint
}

func hotText(l scan.SplitUser) string {
	if l.HotBytes == 0 {
		return ""
	}
	return "~" + units.FormatSize(l.HotBytes)
}

func coldText(l scan.SplitUser) string {
	if l.ColdBytes == 0 {
		return ""
	}
	return units.FormatSize(l.ColdBytes)
}

// splitTablesText is each table with its cold rows of all.
func splitTablesText(l scan.SplitUser) string {
	var parts []string
	for _, t := range l.Tables {
		parts = append(parts, fmt.Sprintf("%s: %d of %d", t.Name, t.ColdRows, t.ColdRows+t.HotRows))
	}
	return strings.Join(parts, "; ")
}
