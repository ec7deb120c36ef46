// Package doctor checks that everything can be reached and used, by the smallest harmless request each.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Finding is the outcome of one check (docs/scripting.md).
type Finding struct {
	Check    string `json:"check"`
	OK       bool   `json:"ok"`
	NotTried bool   `json:"-"` // Detail says why; it is neither ok nor a failure
	Detail   string `json:"detail"`
	Fix      string `json:"fix,omitempty"`
}

func notTried(check, why string) Finding { return Finding{Check: check, NotTried: true, Detail: why} }

// MarshalJSON has null for the "ok" of a check that was not tried.
func (f Finding) MarshalJSON() ([]byte, error) {
	var ok *bool
	if !f.NotTried {
		ok = &f.OK
	}
	return json.Marshal(struct {
		Check  string `json:"check"`
		OK     *bool  `json:"ok"`
		Detail string `json:"detail"`
		Fix    string `json:"fix,omitempty"`
	}{f.Check, ok, f.Detail, f.Fix})
}

// failed says whether something is to be mended.
func (f Finding) failed() bool { return !f.OK && !f.NotTried }

// maxClockSkew is half of what R2's S3 API allows before it refuses signatures (15 minutes).
const maxClockSkew = 7 * time.Minute

// Options say what is checked.
type Options struct {
	Writes  bool   // whether a token may write, by a probe that is deleted at once
	Version string // of this program
	Hellos  int    // how often the Worker is asked which version it is
	// Objects is the namespace with the objects to list, by its id or class, or AnyNamespace; "": none.
	Objects string
	// Scratch is where a folder for large lists is; nil: the system's.
	Scratch func() (string, error)
}

// AnyNamespace is the only one of the usual class.
const AnyNamespace = "all"

// Look does every check.
func Look(ctx context.Context, c config.Config, o Options) ([]Finding, error) {
	probe := record.NewRun(time.Now())
	findings := []Finding{checkConfig(c), checkLayout(c)}
	for _, check := range []func(context.Context) []Finding{
		func(ctx context.Context) []Finding { return checkR2(ctx, c, o.Writes, probe) },
		func(ctx context.Context) []Finding { return checkKV(ctx, c, o.Writes, probe) },
		func(ctx context.Context) []Finding { return checkWorker(ctx, c, o.Version, time.Now) },
	} {
		findings = append(findings, patiently(ctx, check)...)
	}
	if isOK(findings, "worker") {
		findings = append(findings, patiently(ctx, func(ctx context.Context) []Finding {
			return checkVersions(ctx, c, o.Version, o.Hellos)
		})...)
		findings = append(findings, patiently(ctx, func(ctx context.Context) []Finding {
			return checkUser(ctx, c, o.Version)
		})...)
	}
	if o.Objects != "" && isOK(findings, "worker") {
		findings = append(findings, checkAllObjects(ctx, c, o)...) // which takes as long as there are users
	}
	return findings, ctx.Err()
}

func isOK(findings []Finding, check string) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Check == check && f.OK })
}

func patiently(ctx context.Context, check func(context.Context) []Finding) []Finding {
	ctx, cancel := context.WithTimeout(ctx, preconditions.Patience)
	defer cancel()
	return check(ctx)
}

func failed(check string, err error, fix string) Finding {
	var e *userdb.Error
	detail := err.Error()
	if errors.As(err, &e) && e.Hint != "" {
		fix = e.Hint
		without := *e
		without.Hint = ""
		detail = without.Error()
	}
	return Finding{Check: check, Detail: detail, Fix: fix}
}

// Print shows the findings, and counts those that failed.
func Print(out *terminal.Output, findings []Finding) (failed int, err error) {
	sheet := terminal.NewSheet(out, columns)
	skipped := 0
	for _, f := range findings {
		switch {
		case f.NotTried:
			skipped++
		case !f.OK:
			failed++
		}
		if err := sheet.Add(f); err != nil {
			return failed, err
		}
	}
	err = sheet.End(map[string]any{"summary": map[string]int{"checks": len(findings), "failed": failed, "notTried": skipped}})
	switch text := summary(len(findings), failed, skipped); {
	case err != nil:
	case failed == 0:
		out.Say("doctor: %s", text)
	default:
		out.Warn("doctor: %s", text)
	}
	return failed, err
}

func summary(all, failed, skipped int) string {
	switch {
	case failed == 0 && skipped == 0:
		return fmt.Sprintf("all %d checks are ok", all)
	case failed == 0:
		return fmt.Sprintf("%d checks are ok, %d not tried", all-skipped, skipped)
	case skipped == 0:
		return fmt.Sprintf("%d of %d checks failed", failed, all)
	}
	return fmt.Sprintf("%d of %d checks failed, %d not tried", failed, all, skipped)
}

var columns = []terminal.Column[Finding]{
	{Head: "CHECK", Field: "check", Text: func(f Finding) string { return f.Check }},
	{
		Head:  "",
		Keep:  true,
		Field: "ok",
		Text:  okText,
		Data:  okData,
		Style: okStyle,
	},
	{Head: "DETAIL", Field: "detail", Text: func(f Finding) string { return f.Detail }},
	{Head: "HOW TO FIX IT", Field: "fix", Text: func(f Finding) string { return f.Fix }},
}

func okText(f Finding) string {
	switch {
	case f.NotTried:
		return "not tried"
	case f.OK:
		return "ok"
	}
	return "FAIL"
}

func okData(f Finding) string {
	if f.NotTried {
		return "not tried"
	}
	return fmt.Sprint(f.OK)
}

func okStyle(f Finding) terminal.Style {
	switch {
	case f.NotTried:
		return terminal.Attention
	case f.OK:
		return terminal.Good
	}
	return terminal.Bad
}
