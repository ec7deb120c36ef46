// Package status says where each user lives, since when, and what is incomplete.
package status

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/quarantine"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Totals is the summary of a status (docs/scripting.md).
type Totals struct {
	Source   string `json:"source"` // sides or flags
	File     int    `json:"file"`
	Object   int    `json:"object"`
	Split    int    `json:"split,omitempty"`
	None     int    `json:"none"`
	Unknown  int    `json:"unknown,omitempty"`
	Problems int    `json:"problems"`
	Failed   int    `json:"failed"`

	Quarantined int `json:"quarantined"`

	FlagsUnread bool `json:"flagsUnread,omitempty"`
}

// Line is one user's state, or why it could not be found out.
type Line struct {
	inspect.State
	Source  string `json:"source"`
	Outcome string `json:"outcome,omitempty"` // in the run that was asked for
	// Quarantined is why migrate does not try this version of the file again.
	Quarantined userdb.Kind       `json:"quarantined,omitempty"`
	Error       *userdb.ErrorJSON `json:"error,omitempty"`
}

// Report is where users are. Its totals are without its lines.
type Report struct {
	Lines   []Line
	Totals  Totals
	Unasked int // users with flags that say too little, beyond those who were asked
	Shown   int // lines that were shown as they came, and are not in Lines
}

// nowhere says whether both sides know nothing of a user: no file, and nothing in the Durable Object.
func nowhere(s inspect.State) bool {
	return s.File == "none" && s.Phase == userdb.Empty && s.Problem == ""
}

// Unknown are the users who are nowhere.
func (r *Report) Unknown() (unknown []userdb.UserID) {
	for _, l := range r.Lines {
		if l.Serves == userfile.SideUnknown {
			unknown = append(unknown, l.User)
		}
	}
	return unknown
}

// OfUsers asks both sides of these users. outcomes are theirs in the run that was asked for.
func OfUsers(
	ctx context.Context,
	e *migrate.Engine,
	users []userdb.UserID,
	outcomes map[userdb.UserID]string,
) (*Report, error) {
	known, err := e.Quarantine.Load(ctx, "")
	if err != nil {
		return nil, err
	}
	lines, err := ask(ctx, e, users, known)
	for i := range lines {
		lines[i].Outcome = outcomes[lines[i].User]
	}
	return &Report{Lines: lines, Totals: Totals{Source: sourceSides}}, err
}

// OfAll asks everybody's file, and both sides of all who left R2. unread is told why flags cannot be read.
func OfAll(ctx context.Context, e *migrate.Engine, prefix string, unread func(error)) (*Report, error) {
	r := &Report{Totals: Totals{Source: sourceSides}}
	known, err := e.Quarantine.Load(ctx, prefix)
	if err != nil {
		return nil, err
	}
	users, onlyMarked, others, err := leftR2(ctx, e, prefix, known, func(err error) {
		r.Totals.FlagsUnread = true
		unread(err)
	})
	if err != nil {
		return nil, err
	}
	r.Totals.File = others
	lines, err := ask(ctx, e, users, known)
	r.Lines = notable(lines, onlyMarked, &r.Totals)
	return r, err
}

// ask asks both sides of each user.
func ask(
	ctx context.Context,
	e *migrate.Engine,
	users []userdb.UserID,
	known quarantine.Known,
) ([]Line, error) {
	lines := make([]Line, len(users))
	err := parallel.Each(ctx, len(users), e.Concurrency, func(ctx context.Context, i int) error {
		lines[i] = stateOf(ctx, e, users[i])
		lines[i].Quarantined = known.Reason(users[i], lines[i].ETag)
		return ctx.Err()
	})
	return lines, err
}

// notable leaves out, and counts, users who were rolled back: only a mark is left in the file, and R2 serves
// them like anybody.
func notable(lines []Line, onlyMarked map[userdb.UserID]bool, totals *Totals) []Line {
	return selection.Kept(lines, func(l Line) bool {
		rolledBack := onlyMarked[l.User] && l.Error == nil && l.Serves == userfile.SideFile && l.Problem == ""
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
	known quarantine.Known,
	withoutFlags func(error),
) (
	left []userdb.UserID, onlyMarked map[userdb.UserID]bool, others int, err error) {
	found, err := e.Inspect().Scan(ctx, inspect.ScanOptions{Prefix: prefix, Marks: true, WithoutFlags: withoutFlags})
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

// TryMerge tries the merge of each split user on copies, and notes what would stand in the way as the user's
// problem.
func (r *Report) TryMerge(ctx context.Context, e *migrate.Engine) error {
	return parallel.Each(ctx, len(r.Lines), e.Concurrency, func(ctx context.Context, i int) error {
		l := &r.Lines[i]
		if l.Serves != userfile.SideSplit || l.Error != nil {
			return nil
		}
		err := e.TryMerge(ctx, l.User)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case userdb.KindOf(err) == userdb.Precondition:
			l.Problem = result.AndReason(l.Problem, "whether both halves could be merged is not known: the application wrote during every look")
		case userdb.KindOf(err) == userdb.Conflict:
			l.Problem = result.AndReason(l.Problem, "the halves could not be merged: "+err.Error())
		case err != nil:
			described := userdb.ErrorOf(err)
			l.Error = &described
		}
		return nil
	})
}

func stateOf(ctx context.Context, e *migrate.Engine, u userdb.UserID) Line {
	state, err := e.Inspect().Status(ctx, u)
	if err != nil {
		described := userdb.ErrorOf(err)
		return Line{State: inspect.State{User: u}, Source: sourceSides, Error: &described}
	}
	if nowhere(state) {
		state.Serves = userfile.SideUnknown
	}
	return Line{State: state, Source: sourceSides}
}

func (t *Totals) add(l Line) {
	switch {
	case l.Error != nil:
		t.Failed++
	case l.Serves == userfile.SideFile:
		t.File++
	case l.Serves == userfile.SideObject:
		t.Object++
	case l.Serves == userfile.SideSplit:
		t.Split++
	case l.Serves == userfile.SideUnknown:
		t.Unknown++
	default:
		t.None++
	}
	if l.Problem != "" {
		t.Problems++
	}
	if l.Quarantined != "" {
		t.Quarantined++
	}
}

// Printer shows lines as they come.
type Printer struct {
	out    *terminal.Output
	sheet  *terminal.Sheet[Line]
	totals Totals
}

// NewPrinter begins to show a report.
func NewPrinter(out *terminal.Output, top int) *Printer {
	p := &Printer{out: out, sheet: terminal.NewSheet(out, columns)}
	p.sheet.Top = top
	return p
}

// Add shows one more line.
func (p *Printer) Add(l Line) error {
	p.totals.add(l)
	return p.sheet.Add(l)
}

// End shows the rest of a report; complete says whether everybody could be asked.
func (p *Printer) End(r *Report) (complete bool, err error) {
	for _, l := range r.Lines {
		if err := p.Add(l); err != nil {
			return false, err
		}
	}
	out, totals := p.out, p.totals
	totals.Source, totals.FlagsUnread = r.Totals.Source, r.Totals.FlagsUnread
	totals.File += r.Totals.File
	if err := p.sheet.End(map[string]any{"summary": totals}); err != nil {
		return false, err
	}
	totals.say(out)
	totals.draw(out)
	if left := p.sheet.Left(); left > 0 {
		out.Say("status: %s more: leave --top out to see them", units.Plural(left, "user"))
	}
	if totals.Failed > 0 {
		out.Warn("status: %s could not be asked", units.Plural(totals.Failed, "user"))
	}
	if r.Unasked > 0 {
		out.Warn("status: of %s the flags say too little: --all asks them", units.Plural(r.Unasked, "more user"))
	}
	if totals.Source == sourceFlags {
		out.Say(
			"status: by the flags and a listing, which are hints; `dbmigrate status USER...` and --all ask both sides, and find what is incomplete; who was in flight is looked for in the newest %d runs",
			newestRuns,
		)
	}
	return totals.Failed == 0 && !totals.FlagsUnread, nil
}

// say says in a line where users are. Who is split or unknown is only told of where there is somebody.
func (t *Totals) say(out *terminal.Output) {
	split, unknown := "", ""
	if t.Split > 0 {
		split = fmt.Sprintf("%d split, ", t.Split)
	}
	if t.Unknown > 0 {
		unknown = fmt.Sprintf(", %d unknown", t.Unknown)
	}
	out.Say(
		"status: %d in R2, %d in Durable Objects, %s%d unable to write%s; %s",
		t.File,
		t.Object,
		split,
		t.None,
		unknown,
		units.Plural(t.Problems, "problem"),
	)
}

// draw shows where users are as bars.
func (t *Totals) draw(out *terminal.Output) {
	all := t.File + t.Object + t.Split + t.None + t.Unknown
	if all == 0 || !out.DrawsErr() {
		return
	}
	const cells = 30
	for _, place := range []struct {
		name  string
		users int
	}{{"in R2", t.File}, {"in Durable Objects", t.Object}, {"split", t.Split}, {"unable to write", t.None}, {"unknown", t.Unknown}} {
		if place.users > 0 {
			share := float64(place.users) / float64(all)
			out.Say("  %-18s %3.0f %% %s", place.name, share*100, terminal.Bar(share, cells))
		}
	}
}

var columns = []terminal.Column[Line]{
	{Head: "USER", Field: "user", Text: func(l Line) string { return string(l.User) }},
	{
		Head:  "SERVED BY",
		Keep:  true,
		Field: "servedBy",
		Text:  servesText,
		Data:  func(l Line) string { return string(l.Serves) },
		Style: servesStyle,
	},
	{Head: "OUTCOME", Field: "outcome", Text: func(l Line) string { return l.Outcome }},
	{Head: "PHASE", Field: "phase", Text: func(l Line) string { return string(l.Phase) }},
	{Head: "FILE", Field: "file", Text: func(l Line) string { return l.File }},
	{
		Head:  "SIZE",
		Field: "bytes",
		Right: true,
		Text:  sizeText,
		Data:  func(l Line) string { return strconv.FormatInt(l.Bytes, 10) },
	},
	{
		Head:  "WRITES SINCE",
		Field: "writesSince",
		Right: true,
		Text:  func(l Line) string { return terminal.OrNothing(l.Writes) },
	},
	{
		Head:  "TO THAW",
		Field: "thaws",
		Right: true,
		Text:  func(l Line) string { return terminal.OrNothing(l.Thaws) },
	},
	{Head: "VERSION", Field: "userVersion", Right: true, Text: versionText},
	{
		Head:  "MIGRATED",
		Field: "migratedAt",
		Text:  migratedText,
		Data:  func(l Line) string { return terminal.OrNothing(l.At) },
	},
	{Head: "RUN", Field: "run", Text: func(l Line) string { return l.Run }},
	{
		Head:  "PROBLEM",
		Field: "problem",
		Text:  problemText,
		Data:  func(l Line) string { return l.Problem },
		Style: func(Line) terminal.Style { return terminal.Attention },
	},
}

// servesText is what JSON has, too.
func servesText(l Line) string { return cmp.Or(string(l.Serves), "?") }

func servesStyle(l Line) terminal.Style {
	switch l.Serves {
	case userfile.SideObject, userfile.SideSplit:
		return terminal.Good
	case userfile.SideNone:
		return terminal.Bad
	case userfile.SideUnknown:
		return terminal.Attention
	}
	return terminal.Plain
}

// versionText is empty for 0, which most databases have.
func versionText(l Line) string {
	if l.UserVersion == nil {
		return ""
	}
	return terminal.OrNothing(int64(*l.UserVersion))
}

func sizeText(l Line) string { return terminal.SizeOrNothing(l.Bytes) }

func migratedText(l Line) string {
	if l.At == 0 {
		return ""
	}
	return time.UnixMilli(l.At).UTC().Format(time.RFC3339)
}

func problemText(l Line) string {
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
