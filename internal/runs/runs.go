// Package runs shows run records: what was run, and which users were in a run.
package runs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// Line is one line of runs (docs/scripting.md).
type Line struct {
	Run      string         `json:"run"`
	Action   string         `json:"action"`
	State    record.State   `json:"state"`
	At       int64          `json:"at"`
	TookMs   int64          `json:"tookMs"`
	Users    int            `json:"users"`
	Outcomes map[string]int `json:"outcomes"`
	Failed   int            `json:"failed"`
	NotBegun int            `json:"notBegun"`
	InFlight int            `json:"inFlight,omitempty"` // begun, and no end of the run
	Bytes    int64          `json:"bytes"`
	Exit     *int           `json:"exit,omitempty"` // absent without an end
	By       string         `json:"by"`
	Via      string         `json:"via,omitempty"`
	Job      string         `json:"job,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Command  []string       `json:"command"`
	Local    bool           `json:"local,omitempty"` // read on this machine
	AsOf     int64          `json:"asOf,omitempty"`  // without an end and not local: when its copy was made
}

// LineOf is what the list says of a run.
func LineOf(r record.Run) Line {
	l := Line{
		Run:      r.Begin.Run,
		Action:   r.Action,
		State:    r.State,
		At:       r.At,
		TookMs:   r.Summary.TookMs,
		Users:    r.Begin.Users,
		Outcomes: r.Summary.Outcomes,
		Failed:   r.Summary.Failed,
		NotBegun: r.Summary.NotBegun,
		InFlight: len(r.InFlight()),
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
	if r.CopyAge > 0 {
		l.AsOf = r.Renewed
	}
	return l
}

// summary is the last line as JSON.
type summary struct {
	Runs   int            `json:"runs"`
	States map[string]int `json:"states"`
	// BucketUnread says that only this machine's records were read.
	BucketUnread bool `json:"bucketUnread,omitempty"`
}

// Print lists runs, and counts their states. bucketUnread says that they are only this machine's.
func Print(out *terminal.Output, runs []record.Run, bucketUnread bool) error {
	most := 1
	for _, r := range runs {
		most = max(most, r.Begin.Users)
	}
	sheet, states := terminal.NewSheet(out, columnsUpTo(most)), map[string]int{}
	for _, r := range runs {
		states[string(r.State)]++
		if err := sheet.Add(LineOf(r)); err != nil {
			return err
		}
	}
	if err := sheet.End(map[string]any{"summary": summary{len(runs), states, bucketUnread}}); err != nil {
		return err
	}
	out.Say(
		"runs: %s",
		strings.Join(append([]string{units.Plural(len(runs), "run")}, Counts(states)...), ", "),
	)
	if len(runs) > 1 && out.DrawsErr() {
		out.Say("      users in each, the oldest first: %s", terminal.Sparkline(sizesOf(runs), len(runs)))
	}
	for _, r := range runs {
		if text := InFlightText(r); text != "" {
			out.Warn("%s: `dbmigrate status --run %s` asks where they are", text, r.Begin.Run)
		}
	}
	return nil
}

// columnsUpTo draws how many users a run had, up to the largest one.
func columnsUpTo(most int) []terminal.Column[Line] {
	const cells = 8
	drawn := terminal.Column[Line]{Drawn: true, Text: func(l Line) string {
		return terminal.Bar(float64(l.Users)/float64(most), cells)
	}}
	at := 1 + slices.IndexFunc(columns, func(c terminal.Column[Line]) bool { return c.Head == "USERS" })
	return slices.Insert(slices.Clone(columns), at, drawn)
}

func sizesOf(runs []record.Run) (sizes []float64) {
	for _, r := range slices.Backward(runs) {
		sizes = append(sizes, float64(r.Begin.Users))
	}
	return sizes
}

// Counts are outcomes in words, by name.
func Counts(counts map[string]int) []string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[name], name))
	}
	return parts
}

var columns = []terminal.Column[Line]{
	{Head: "RUN", Field: "run", Text: func(l Line) string { return l.Run }},
	{Head: "ACTION", Keep: true, Field: "action", Text: func(l Line) string { return l.Action }},
	{Head: "STATE", Keep: true, Field: "state", Text: func(l Line) string { return string(l.State) }, Style: runStyle},
	{
		Head:  "BEGAN",
		Field: "at",
		Text:  func(l Line) string { return time.UnixMilli(l.At).UTC().Format(time.RFC3339) },
		Data:  func(l Line) string { return strconv.FormatInt(l.At, 10) },
	},
	{
		Head:  "TOOK",
		Field: "tookMs",
		Right: true,
		Text:  func(l Line) string { return units.FormatDuration(time.Duration(l.TookMs) * time.Millisecond) },
		Data:  func(l Line) string { return strconv.FormatInt(l.TookMs, 10) },
	},
	{
		Head:  "USERS",
		Field: "users",
		Right: true,
		Text:  func(l Line) string { return strconv.Itoa(l.Users) },
	},
	{Head: "OUTCOMES", Field: "outcomes", Text: outcomesText},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  func(l Line) string { return terminal.SizeOrNothing(l.Bytes) },
		Data:  func(l Line) string { return strconv.FormatInt(l.Bytes, 10) },
	},
	{Head: "BY", Field: "by", Text: Line.Who},
	{Head: "REASON", Field: "reason", Text: func(l Line) string { return l.Reason }},
}

func runStyle(l Line) terminal.Style {
	switch {
	case l.State == record.NoEnd || l.State == record.Interrupted:
		return terminal.Attention
	case l.State == record.Ended && l.Failed > 0:
		return terminal.Bad
	case l.State == record.Ended:
		return terminal.Good
	}
	return terminal.Plain
}

func outcomesText(l Line) string {
	parts := Counts(l.Outcomes)
	if l.NotBegun > 0 {
		parts = append(parts, fmt.Sprintf("%d not begun", l.NotBegun))
	}
	if l.InFlight > 0 {
		parts = append(parts, fmt.Sprintf("%d in flight", l.InFlight))
	}
	return strings.Join(parts, ", ")
}

// Who began the run, and by what.
func (l Line) Who() string {
	if l.Via == "" {
		return l.By
	}
	return l.By + " (" + l.Via + ")"
}
