package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/report"
)

type runsOptions struct{ limit int }

func newRuns(a *app) *cobra.Command {
	var o runsOptions
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List what was run, who ran it, and how it ended",
		Long: "List the run records of this bucket, the newest first: of every machine, from their copies in R2, and of this machine also those\n" +
			"that could not be copied, and those of verify.\n\n" +
			"A record without an end is \"running\" while it is renewed, every few minutes, and \"no-end-seen\" later: the command was killed,\n" +
			"or cut off from the bucket. Run the same command again to go on; `dbmigrate status --run ID` says where its users are now.",
		Example: "  dbmigrate runs\n" +
			"  dbmigrate runs --limit 100 --output json | jq -r 'select(.state==\"no-end-seen\").run'\n" +
			"  dbmigrate status --run 20261126T040000Z-9f3c21aa",
		Annotations: manual{
			reads:   "the run records in R2 under .dbmigrate/runs/, and those of this machine",
			changes: "nothing",
			exits:   []int{exitDone, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runs(cmd, &o) },
	}
	cmd.Flags().IntVar(&o.limit, "limit", 20, "how many are listed at most")
	return cmd
}

// runLine is one line of runs (docs/scripting.md).
type runLine struct {
	Run      string         `json:"run"`
	Action   string         `json:"action"`
	State    record.State   `json:"state"`
	At       int64          `json:"at"`
	TookMs   int64          `json:"tookMs"`
	Users    int            `json:"users"`
	Outcomes map[string]int `json:"outcomes"`
	Failed   int            `json:"failed"`
	NotBegun int            `json:"notBegun"`
	Bytes    int64          `json:"bytes"`
	Exit     *int           `json:"exit,omitempty"` // absent without an end
	By       string         `json:"by"`
	Via      string         `json:"via,omitempty"`
	Job      string         `json:"job,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Command  []string       `json:"command"`
	Local    bool           `json:"local,omitempty"` // read on this machine
}

func runLineOf(r record.Run) runLine {
	l := runLine{
		Run:      r.Begin.Run,
		Action:   r.Action,
		State:    r.State,
		At:       r.At,
		TookMs:   r.Summary.TookMs,
		Users:    r.Begin.Users,
		Outcomes: r.Summary.Outcomes,
		Failed:   r.Summary.Failed,
		NotBegun: r.Summary.NotBegun,
		Bytes:    r.Summary.Bytes,
		By:       r.Who.Name,
		Via:      r.Who.Via,
		Job:      r.Who.Job,
		Reason:   r.Reason,
		Command:  r.Command,
		Local:    r.Local,
	}
	if r.EndAt != 0 {
		l.Exit = &r.Summary.Exit
	}
	return l
}

func (a *app) runs(cmd *cobra.Command, o *runsOptions) error {
	if o.limit < 1 {
		return usageError("read --limit", "", "it is less than 1", "")
	}
	c, err := a.source(cmd).Config()
	if err != nil {
		return err
	}
	place, err := a.records(c)
	if err != nil {
		return err
	}
	runs, err := place.List(cmd.Context(), o.limit, func(err error) { a.out.Warn("%v", err) })
	if err != nil {
		return err
	}
	sheet, states := report.NewSheet(a.out, runColumns), map[string]int{}
	for _, r := range runs {
		states[string(r.State)]++
		if err := sheet.Add(runLineOf(r)); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": map[string]any{"runs": len(runs), "states": states}}); err != nil {
		return err
	}
	a.out.Say(
		"runs: %s",
		strings.Join(append([]string{units.Plural(len(runs), "run")}, countsText(states)...), ", "),
	)
	return nil
}

// records is where run records are looked for.
func (a *app) records(c config.Config) (*record.Place, error) {
	files, err := connect.R2(c, a.traffic)
	if err != nil {
		return nil, err
	}
	dir := ""
	if state, err := record.StateDir(a.getenv); err == nil {
		dir = filepath.Join(state, fleet.RecordFolder)
	}
	return &record.Place{Files: files, Dir: dir, Bucket: c.Bucket, Now: time.Now}, nil
}

func countsText(counts map[string]int) []string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return parts
}

var runColumns = []report.Column[runLine]{
	{Head: "RUN", Field: "run", Text: func(l runLine) string { return l.Run }},
	{Head: "ACTION", Field: "action", Text: func(l runLine) string { return l.Action }},
	{Head: "STATE", Field: "state", Text: func(l runLine) string { return string(l.State) }, Style: runStyle},
	{
		Head:  "BEGAN",
		Field: "at",
		Text:  func(l runLine) string { return time.UnixMilli(l.At).UTC().Format(time.RFC3339) },
		Data:  func(l runLine) string { return strconv.FormatInt(l.At, 10) },
	},
	{
		Head:  "TOOK",
		Field: "tookMs",
		Right: true,
		Text:  func(l runLine) string { return units.FormatDuration(time.Duration(l.TookMs) * time.Millisecond) },
		Data:  func(l runLine) string { return strconv.FormatInt(l.TookMs, 10) },
	},
	{
		Head:  "USERS",
		Field: "users",
		Right: true,
		Text:  func(l runLine) string { return strconv.Itoa(l.Users) },
	},
	{Head: "OUTCOMES", Field: "outcomes", Text: outcomesText},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(l runLine) string { return units.FormatSize(l.Bytes) },
		Data:  func(l runLine) string { return strconv.FormatInt(l.Bytes, 10) },
	},
	{Head: "BY", Field: "by", Text: byText},
	{Head: "REASON", Field: "reason", Text: func(l runLine) string { return l.Reason }},
}

func runStyle(l runLine) report.Style {
	switch {
	case l.State == record.NoEnd || l.State == record.Interrupted:
		return report.Attention
	case l.State == record.Ended && l.Failed > 0:
		return report.Bad
	case l.State == record.Ended:
		return report.Good
	}
	return report.Plain
}

func outcomesText(l runLine) string {
	parts := countsText(l.Outcomes)
	if l.NotBegun > 0 {
		parts = append(parts, fmt.Sprintf("%d not begun", l.NotBegun))
	}
	return strings.Join(parts, ", ")
}

func byText(l runLine) string {
	if l.Via == "" {
		return l.By
	}
	return l.By + " (" + l.Via + ")"
}
