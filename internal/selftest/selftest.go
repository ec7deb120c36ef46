// Package selftest tries, on the operator's own account, what the protocol needs of the platform: probes of
// single promises, and then the whole life of a synthetic user who writes all the time.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// User is the synthetic user, the same in every run: what a killed run left, the next one finds.
const User userdb.UserID = "dbmigrate-selftest"

// folder holds the R2 objects of the probes.
const folder = userdb.ReservedPrefix + "selftest/"

// Probe is one thing that is tried.
type Probe struct {
	ID     string `json:"probe"`
	Proves string `json:"proves"`
	// Price is what it costs, "" for next to nothing. A probe with a price runs on request.
	Price string `json:"price,omitempty"`
	// NotHere is why a command line cannot try it.
	NotHere string `json:"-"`

	run func(context.Context, *lab) (string, error)
	// shared names the run of several probes: it is made once, and each of them tells what it found.
	shared string
}

// What became of a probe.
const (
	Passed   = "passed"
	Failed   = "failed"
	NotTried = "not tried"
)

// Line is the account of one probe (docs/scripting.md).
type Line struct {
	Probe
	Result string `json:"result"`
	Detail string `json:"detail,omitempty"`
	TookMs int64  `json:"tookMs"`
	// PauseMs is the longest time that a write of the synthetic user waited.
	PauseMs int64 `json:"pauseMs,omitempty"`
}

// Options choose what is tried.
type Options struct {
	// Probes are those on request, by id; All is all of them.
	Probes []string
	All    bool
	// Only are the only ones that are tried; none: all.
	Only []string
	// Clean removes what a killed selftest left, and tries nothing.
	Clean bool
}

// Requested are the ids of the probes that are tried on request, with what each proves.
func Requested() (ids, proves []string) {
	return idsOf(func(p Probe) bool { return p.Price != "" })
}

// Tried are those of all probes that can be tried.
func Tried() (ids, proves []string) { return idsOf(func(Probe) bool { return true }) }

func idsOf(which func(Probe) bool) (ids, proves []string) {
	for _, p := range probes() {
		if p.run != nil && which(p) {
			ids, proves = append(ids, p.ID), append(proves, p.Proves)
		}
	}
	return ids, proves
}

// Check refuses a probe that nobody knows.
func (o Options) Check() error {
	if o.Clean && (o.All || len(o.Probes)+len(o.Only) > 0) {
		return userdb.UsageError("read --clean", "", "it tries no probe", "leave --probes, --only and --all out")
	}
	for _, id := range slices.Concat(o.Probes, o.Only) {
		if !slices.ContainsFunc(probes(), func(p Probe) bool { return strings.EqualFold(p.ID, id) && p.run != nil }) {
			return userdb.UsageError("read --probes and --only", id, "no such probe, or not one that can be tried from here",
				"see docs/production-log.md")
		}
	}
	return nil
}

func (o Options) wants(p Probe) bool {
	named := func(ids []string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return strings.EqualFold(p.ID, id) })
	}
	if len(o.Only) > 0 {
		return named(o.Only)
	}
	return p.Price == "" || o.All || named(o.Probes)
}

// Prices says what the probes that were asked for cost, before they start.
func (o Options) Prices(say func(string, ...any)) {
	for _, p := range probes() {
		if p.Price != "" && o.wants(p) {
			say("%s: %s", p.ID, p.Price)
		}
	}
}

var columns = []terminal.Column[Line]{
	{Head: "PROBE", Field: "probe", Text: func(l Line) string { return l.ID }},
	{Head: "RESULT", Keep: true, Field: "result", Text: func(l Line) string { return l.Result }, Style: style},
	{Head: "TOOK", Field: "tookMs", Right: true, Text: func(l Line) string { return took(l.TookMs) }},
	{Head: "WRITES WAITED", Field: "pauseMs", Right: true, Text: func(l Line) string { return took(l.PauseMs) }},
	{Head: "PROVES", Field: "proves", Text: func(l Line) string { return l.Proves }},
	{Head: "DETAIL", Field: "detail", Text: func(l Line) string { return l.Detail }},
}

func took(ms int64) string {
	if ms == 0 {
		return ""
	}
	return units.FormatDuration(time.Duration(ms) * time.Millisecond)
}

func style(l Line) terminal.Style {
	switch l.Result {
	case Failed:
		return terminal.Bad
	case NotTried:
		return terminal.Faint
	}
	return terminal.Good
}

// Run tries everything that was asked for, and leaves nothing behind. What a killed run left goes first.
func Run(ctx context.Context, c *connect.Connection, o Options, out *terminal.Output) (failed int, err error) {
	l := &lab{Connection: c, ctx: ctx}
	if err := l.cleanUp(ctx); err != nil {
		return 0, fmt.Errorf("clean up what an earlier selftest left: %w", err)
	}
	if o.Clean {
		l.sayLeft(out)
		return 0, nil
	}
	defer func() {
		if cleanErr := l.cleanUp(context.WithoutCancel(ctx)); cleanErr != nil {
			err = errors.Join(err, fmt.Errorf("clean up (dbmigrate selftest --clean does it): %w", cleanErr))
		} else {
			l.sayLeft(out)
		}
	}()
	sheet := terminal.NewSheet(out, columns)
	for _, p := range probes() {
		if p.run != nil && o.wants(p) {
			out.Say("%s: %s", p.ID, p.Proves)
			out.At(p.ID)
		}
		line := l.try(ctx, p, o)
		if line.Result == Failed {
			failed++
		}
		if err := sheet.Add(line); err != nil {
			return failed, err
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := sheet.End(map[string]any{"summary": map[string]any{"action": "selftest", "failed": failed}}); err != nil {
		return failed, err
	}
	out.Say("selftest: %d failed", failed)
	return failed, ctx.Err()
}

// sayLeft says what stays of a selftest.
func (l *lab) sayLeft(out *terminal.Output) {
	if l.vanished {
		out.Say("nothing is left of the user %s", User)
		return
	}
	out.Say("one empty Durable Object stays, %s, with nothing but its claim counter: the Worker is of before", User)
}

func (l *lab) try(ctx context.Context, p Probe, o Options) Line {
	line := Line{Probe: p, Result: NotTried, Detail: p.NotHere}
	switch {
	case p.run == nil:
		return line
	case !o.wants(p):
		line.Detail = "on request: --probes " + p.ID
		if len(o.Only) > 0 {
			line.Detail = "not among --only"
		}
		return line
	}
	began := time.Now()
	l.pause = 0
	detail, err := l.find(ctx, p)
	line.Result, line.Detail = Passed, detail
	line.TookMs, line.PauseMs = max(1, time.Since(began).Milliseconds()), l.pause.Milliseconds()
	if err != nil {
		line.Result, line.Detail = Failed, err.Error()
	}
	return line
}

// finding is what the run of several probes found.
type finding struct {
	by     string // the probe that made the run
	detail string
	err    error
}

// find runs a probe, or tells what its run has found for another one.
func (l *lab) find(ctx context.Context, p Probe) (string, error) {
	if p.shared == "" {
		return p.run(ctx, l)
	}
	if first, made := l.found[p.shared]; made {
		return "the run of " + first.by + ": " + first.detail, first.err
	}
	detail, err := p.run(ctx, l)
	if l.found == nil {
		l.found = map[string]finding{}
	}
	l.found[p.shared] = finding{p.ID, detail, err}
	return detail, err
}
