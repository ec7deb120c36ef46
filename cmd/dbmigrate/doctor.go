package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/record"
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
	var writes bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check that everything can be reached and used",
		Long: "Check R2, KV and the Worker by the smallest harmless request each, and say for each fault how to fix it, with the name of\n" +
			"the permission at Cloudflare. Whether a token may write shows only when something is written: --probe-writes writes an\n" +
			"object under .dbmigrate/probe/ and a key that begins with dbmigrate-probe:, and deletes both at once.",
		Example: "  dbmigrate doctor\n" +
			"  dbmigrate doctor --profile production --probe-writes\n" +
			"  dbmigrate doctor --output json | jq 'select(.ok==false)'",
		Annotations: manual{
			reads:   "one key of a listing in R2 and that object's first byte, a few keys of a listing in KV;\nthe Worker's version, limits, layout and clock; one Durable Object that stores nothing answers SELECT 1",
			changes: "nothing; with --probe-writes an object and a key of its own, which it deletes",
			exits:   []int{exitDone, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd, writes) },
	}
	cmd.Flags().BoolVar(&writes, "probe-writes", false, "write and delete a probe in R2 and in KV")
	return cmd
}

func (a *app) doctor(cmd *cobra.Command, writes bool) error {
	c, err := a.loadConfig(cmd.Flags().Changed("env"))
	if err != nil {
		return err
	}
	ctx, probe := cmd.Context(), record.NewRun(time.Now())
	findings := []finding{checkConfig(c), checkLayout(c)}
	findings = append(
		findings,
		patiently(ctx, func(ctx context.Context) []finding { return checkR2(ctx, c, writes, probe) })...)
	findings = append(
		findings,
		patiently(ctx, func(ctx context.Context) []finding { return checkKV(ctx, c, writes, probe) })...)
	findings = append(
		findings,
		patiently(ctx, func(ctx context.Context) []finding { return checkWorker(ctx, c, time.Now) })...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return a.printFindings(findings)
}

// doctorPatience bounds the checks of one service. A fleet's run repeats requests for minutes; who asks the
// doctor wants to know now.
const doctorPatience = 10 * time.Second

func patiently(ctx context.Context, check func(context.Context) []finding) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	return check(ctx)
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
	{
		Head:  "",
		Field: "ok",
		Text:  okText,
		Data:  func(f finding) string { return fmt.Sprint(f.OK) },
		Style: okStyle,
	},
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
	return append([]finding{
		{
			Check: check,
			OK:    true,
			Detail: fmt.Sprintf(
				"%s: dbmigrate Worker %s, protocol %d",
				c.WorkerURL,
				hello.Worker,
				hello.Protocol,
			),
		},
		checkLimits(hello.Limits), checkStore(hello, c.WorkerURL), checkClock(hello, local),
	}, append(append(checkWorkerLayout(hello, c), checkPlacement(hello, c)...), checkFileSaves(hello)...)...)
}

func checkLimits(l wire.Limits) finding {
	return finding{
		Check: "limits",
		OK:    true,
		Detail: fmt.Sprintf(
			"%s a cell, %d columns, %s a database, %s a request",
			units.FormatSize(
				l.CellBytes,
			),
			l.Columns,
			units.FormatSize(l.DatabaseBytes),
			units.FormatSize(l.BatchBytes),
		),
	}
}

// checkStore looks at what a real Durable Object said.
func checkStore(hello wire.Hello, url string) finding {
	const check = "durable objects"
	if err := objectsServe(hello, url); err != nil {
		return failed(check, err, "")
	}
	if at := hello.Object.Worker; at != hello.Worker {
		return finding{
			Check: check,
			OK:    true,
			Detail: fmt.Sprintf(
				"one answered, backed by SQLite; it still runs version %s: deployments reach running objects later",
				at,
			),
		}
	}
	return finding{Check: check, OK: true, Detail: "one answered over RPC, backed by SQLite"}
}

func checkClock(hello wire.Hello, local time.Time) finding {
	return checkSkew("clock", "the Worker", time.UnixMilli(hello.NowMs), local)[0]
}
