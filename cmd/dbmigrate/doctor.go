package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// finding is the outcome of one check (docs/scripting.md).
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// maxClockSkew is half of what R2's S3 API allows before it refuses signatures (15 minutes).
const maxClockSkew = 7 * time.Minute

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check that everything can be reached and used",
		Long: "Check R2, KV and the Worker by the smallest harmless request each, and say for each fault how to fix it, with the name of\n" +
			"the permission at Cloudflare. Whether a token may write shows only when something is written; doctor does not.",
		Example: "  dbmigrate doctor\n" +
			"  dbmigrate doctor --env production\n" +
			"  dbmigrate doctor --output json | jq 'select(.ok==false)'",
		Annotations: manual{
			reads:   "one page of a listing in R2 and in KV; the Worker's version, limits and clock",
			changes: "nothing",
			exits:   []int{exitDone, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd) },
	}
}

func (a *app) doctor(cmd *cobra.Command) error {
	c, err := a.loadConfig(cmd.Flags().Changed("env"))
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	findings := []finding{checkConfig(c), checkLayout(c), checkR2(ctx, c), checkKV(ctx, c)}
	findings = append(findings, checkWorker(ctx, c, time.Now)...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return a.printFindings(findings)
}

func (a *app) printFindings(findings []finding) error {
	sheet, failed := report.NewSheet(a.out, findingColumns), 0
	for _, f := range findings {
		if !f.OK {
			failed++
		}
		if err := sheet.Add(f); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": map[string]int{"checks": len(findings), "failed": failed}}); err != nil {
		return err
	}
	if failed == 0 {
		a.out.Say("doctor: all %d checks are ok", len(findings))
		return nil
	}
	a.out.Warn("doctor: %d of %d checks failed", failed, len(findings))
	return ended(exitUsage)
}

var findingColumns = []report.Column[finding]{
	{Head: "CHECK", Field: "check", Text: func(f finding) string { return f.Check }},
	{Head: "", Field: "ok", Text: okText, Data: func(f finding) string { return fmt.Sprint(f.OK) }, Style: okStyle},
	{Head: "DETAIL", Field: "detail", Text: func(f finding) string { return f.Detail }},
	{Head: "HOW TO FIX IT", Field: "fix", Text: func(f finding) string { return f.Fix }},
}

func okText(f finding) string {
	if f.OK {
		return "ok"
	}
	return "FAIL"
}

func okStyle(f finding) report.Style {
	if f.OK {
		return report.Good
	}
	return report.Bad
}

func failed(check string, err error, fix string) finding {
	var e *userdb.Error
	detail := err.Error()
	if errors.As(err, &e) && e.Hint != "" {
		fix = e.Hint
		without := *e
		without.Hint = ""
		detail = without.Error()
	}
	return finding{Check: check, Detail: detail, Fix: fix}
}

func checkConfig(c config.Config) finding {
	detail := "flags and environment"
	if c.OwnFile != "" {
		detail += ", " + c.OwnFile
	}
	if c.Profile != "" {
		detail += ", profile " + c.Profile
	}
	if c.File != "" {
		detail += ", " + c.File
	}
	if c.Environment != "" {
		detail += fmt.Sprintf(" (environment %s)", c.Environment)
	}
	return finding{Check: "configuration", OK: true, Detail: detail}
}

func checkLayout(c config.Config) finding {
	if _, err := userdb.ParseLayout(c.Layout); err != nil {
		return failed("layout", err, "")
	}
	return finding{Check: "layout", OK: true, Detail: c.Layout}
}

func checkR2(ctx context.Context, c config.Config) finding {
	const check, fix = "r2", `give the token the permission "Workers R2 Storage Bucket Item Write" (in the dashboard: Object Read & Write) for this bucket`
	client, err := newR2(c, nil)
	if err != nil {
		return failed(check, err, fix)
	}
	err = client.List(ctx, "", "/", func([]userdb.Object, []string) error { return errFirstPage })
	if !errors.Is(err, errFirstPage) && err != nil {
		return failed(check, err, fix)
	}
	return finding{Check: check, OK: true, Detail: "bucket " + c.Bucket + " at " + c.R2Endpoint + " can be listed"}
}

func checkKV(ctx context.Context, c config.Config) finding {
	const check, fix = "kv", `give the API token the account permission "Workers KV Storage Write" (in the dashboard: Workers KV Storage: Edit)`
	client, err := newKV(c, 0, nil)
	if err != nil {
		return failed(check, err, fix)
	}
	if err := probeFlags(ctx, client); err != nil {
		return failed(check, err, fix)
	}
	return finding{Check: check, OK: true, Detail: "namespace " + c.KVNamespace + " can be listed"}
}

// checkWorker greets the Worker and looks at its answer.
func checkWorker(ctx context.Context, c config.Config, now func() time.Time) []finding {
	const check, fix = "worker", "mount the admin routes in the Worker (docs/mount.md), set its secret with `wrangler secret put DBMIGRATE_TOKEN` and deploy it"
	client, err := newWorker(c, nil)
	if err != nil {
		return []finding{failed(check, err, fix)}
	}
	before := now()
	hello, err := client.Hello(ctx)
	if err != nil {
		return []finding{failed(check, err, fix)}
	}
	// The Worker looked at its clock somewhere in between; the middle is the best guess.
	local := before.Add(now().Sub(before) / 2)
	return []finding{
		{Check: check, OK: true, Detail: fmt.Sprintf("%s: dbmigrate Worker %s, protocol %d", c.WorkerURL, hello.Worker, hello.Protocol)},
		checkLimits(hello.Limits), checkStore(hello), checkClock(hello, local),
	}
}

func checkLimits(l wire.Limits) finding {
	return finding{Check: "limits", OK: true, Detail: fmt.Sprintf("%s a cell, %d columns, %s a database, %s a request",
		units.FormatSize(l.CellBytes), l.Columns, units.FormatSize(l.DatabaseBytes), units.FormatSize(l.BatchBytes))}
}

func checkStore(hello wire.Hello) finding {
	if hello.Store != storeSQLite {
		return finding{Check: "durable objects", Detail: fmt.Sprintf("the class is backed by %q", hello.Store), Fix: sqliteFix}
	}
	return finding{Check: "durable objects", OK: true, Detail: "the class is backed by SQLite"}
}

func checkClock(hello wire.Hello, local time.Time) finding {
	skew := local.Sub(time.UnixMilli(hello.NowMs)).Round(time.Millisecond)
	detail := fmt.Sprintf("this machine is %s off the Worker", units.FormatDuration(skew.Abs()))
	if skew.Abs() > maxClockSkew {
		return finding{Check: "clock", Detail: detail, Fix: "set the clock: R2 refuses requests that are 15 minutes off, and gc counts ages by it"}
	}
	return finding{Check: "clock", OK: true, Detail: detail}
}
