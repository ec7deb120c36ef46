// Package runpage writes the HTML page of a run: what became of its users, how fast, and the way back.
// internal/htmlreport has the template.
package runpage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/htmlreport"
	"github.com/dbmigrate/dbmigrate/internal/latency"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/runs"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Page says what a page of a run is made of.
type Page struct {
	Place  *record.Place
	Run    string
	Bucket string
	// Requests is the file with the requests that a router observed; "": there is none.
	Requests string
	Version  string
}

// Write writes the page of a run, from its record, as one file that needs no network.
func (p Page) Write(ctx context.Context, path string) error {
	s := newStory()
	run, err := p.Place.Load(ctx, p.Run, s.add)
	if err == nil && run.Bucket != p.Bucket {
		err = userdb.UsageError("read run", p.Run, "it was about the bucket "+run.Bucket, "pass --bucket "+run.Bucket)
	}
	if err != nil {
		return err
	}
	s.run = run
	page := s.page(p.Version)
	if p.Requests != "" {
		observed, err := latency.ReadFile(p.Requests, nil, func(u string) bool { return s.users[userdb.UserID(u)] })
		if err != nil {
			return refuse("read --requests", p.Requests, err, "name a file of JSON lines that the router's observer wrote")
		}
		page.Latency, page.LatencyNote = latencies(observed)
	}
	if err := htmlreport.WriteRunFile(path, page); err != nil {
		return refuse("write the report", path, err, "name a file in a folder that exists and can be written")
	}
	return nil
}

// CheckReport refuses a page that cannot be written, before anything is begun.
func CheckReport(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return userdb.UsageError("read --report", path, "its folder is not there", "make the folder, or name another one")
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return userdb.UsageError("read --report", path, "it is a folder", "name a file")
		}
		return nil // a device or a pipe is written to, and not replaced
	}
	if err := tryFolder(filepath.Dir(path)); err != nil {
		return refuse("read --report", path, err, "name a file in a folder that can be written")
	}
	return nil
}

// tryFolder says whether a file can be made in the folder.
func tryFolder(dir string) error {
	f, err := os.CreateTemp(dir, ".dbmigrate-*.html")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// refuse says of a file what is wrong, and not its name twice.
func refuse(op, path string, err error, hint string) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return userdb.UsageError(op, path, err.Error(), hint)
}

// story is a run, line by line.
type story struct {
	run      record.Run
	users    map[userdb.UserID]bool      // who has a line
	outcomes map[[2]string]*outcomeCount // by action and outcome
	failures map[string]*failureCount
	pauses   latency.Times
	longest  record.UserLine
	classes  []int
	open     map[userdb.UserID]record.UserLine
	ends     []ended
}

type outcomeCount struct {
	users int
	bytes int64
}

type failureCount struct {
	reason, message, wayOut string
	users                   int
	first                   userdb.UserID
}

// ended is the end of a user, for the timeline.
type ended struct {
	at     int64
	bytes  int64
	failed bool
}

// pauseBorders part the write pauses.
var pauseBorders = []time.Duration{
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

func newStory() *story {
	return &story{
		users:    map[userdb.UserID]bool{},
		outcomes: map[[2]string]*outcomeCount{},
		failures: map[string]*failureCount{},
		classes:  make([]int, len(pauseBorders)+1),
		open:     map[userdb.UserID]record.UserLine{},
	}
}

// add takes one user's line.
func (s *story) add(l record.UserLine) {
	s.users[l.User] = true
	key := [2]string{l.Action, l.Outcome}
	if s.outcomes[key] == nil {
		s.outcomes[key] = &outcomeCount{}
	}
	s.outcomes[key].users++
	s.outcomes[key].bytes += l.Bytes
	if delete(s.open, l.User); l.Open {
		s.open[l.User] = l
	}
	if l.WindowMs > 0 {
		s.pause(l, time.Duration(l.WindowMs)*time.Millisecond)
	}
	if l.Error != nil {
		s.fail(l)
	}
	if l.EndedAt > 0 {
		s.ends = append(s.ends, ended{l.EndedAt, l.Bytes, l.Error != nil})
	}
}

func (s *story) pause(l record.UserLine, d time.Duration) {
	if l.WindowMs > s.longest.WindowMs {
		s.longest = l
	}
	s.pauses.Add(d)
	class := 0
	for class < len(pauseBorders) && d >= pauseBorders[class] {
		class++
	}
	s.classes[class]++
}

func (s *story) fail(l record.UserLine) {
	reason, message, way := string(l.Error.Kind), l.Error.Message, l.Error.Hint
	if len(l.Error.Reasons) > 0 {
		first := l.Error.Reasons[0]
		reason, message, way = string(first.Code), first.Detail, cmp.Or(first.Fix, way)
	}
	f := s.failures[reason]
	if f == nil {
		f = &failureCount{reason: reason, message: message, wayOut: way, first: l.User}
		s.failures[reason] = f
	}
	f.users++
}

func (s *story) page(version string) htmlreport.Run {
	r := &s.run
	page := htmlreport.Run{
		Title:    fmt.Sprintf("%s of %s", r.Action, units.Plural(r.Begin.Users, "user")),
		Action:   r.Action,
		Run:      r.Begin.Run,
		State:    s.state(),
		Sentence: s.sentence(),
		Alarm:    len(s.open) > 0 || r.Summary.Failed > 0 || r.State == record.NoEnd,
		Fine:     r.State == record.Ended && r.Summary.Failed == 0,
		When:     time.UnixMilli(r.At).UTC().Format("2 January 2006, 15:04:05 MST"),
		Who:      runs.LineOf(*r).Who(),
		Reason:   r.Begin.Reason,
		Bucket:   r.Bucket,
		Tiles:    s.tiles(),
		Waves:    s.waves(),
		Failures: s.failureTable(),
		Outcomes: s.outcomeTable(),
		WayBack:  s.wayBack(),
		Command:  "dbmigrate " + shellWords(r.Command),
		Version:  version,
	}
	page.Open, page.OpenNote = s.openTable()
	page.Timeline, page.WaveMarks = s.timeline(), len(r.Waves) > 0
	page.Pauses, page.PausesNote = s.pauseBars()
	return page
}

func shellWords(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = userdb.ShellWord(word)
	}
	return strings.Join(quoted, " ")
}

func (s *story) state() string {
	if s.run.State == record.NoEnd {
		return "no end seen"
	}
	if s.run.State == record.Ended && s.run.Summary.Failed > 0 {
		return fmt.Sprintf("ended, %d failed", s.run.Summary.Failed)
	}
	return string(s.run.State)
}

// sentence is the run in a sentence or two.
func (s *story) sentence() string {
	r := &s.run
	parts := runs.Counts(r.Summary.Outcomes)
	if r.Summary.NotBegun > 0 {
		parts = append(parts, fmt.Sprintf("%d not begun", r.Summary.NotBegun))
	}
	if n := len(r.InFlight()); n > 0 {
		text := fmt.Sprintf("%d in flight", n)
		if r.State != record.Running {
			text += " when it ended"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	text := fmt.Sprintf("%s in %s: %s.", units.Plural(r.Begin.Users, "user"), took(r), strings.Join(parts, ", "))
	if r.State == record.Running {
		text += " The run " + runs.GoesOn() + "."
	}
	if s.pauses.Count > 0 {
		text += fmt.Sprintf(" Writes of half of them waited %s or less, and never longer than %s.",
			units.FormatDuration(s.pauses.Quantile(0.5)), units.FormatDuration(s.pauses.Max))
	}
	return text
}

func took(r *record.Run) string {
	return units.FormatDuration(time.Duration(r.Summary.TookMs) * time.Millisecond)
}

func (s *story) tiles() []htmlreport.Tile {
	r := &s.run
	tiles := []htmlreport.Tile{
		{Label: "Users", Value: units.FormatInteger(int64(r.Begin.Users)), Note: "with " + units.FormatSize(r.Begin.Bytes)},
		{Label: "Took", Value: took(r), Note: fmt.Sprintf("exit code %d", r.Summary.Exit)},
		{Label: "Failed", Value: units.FormatInteger(int64(r.Summary.Failed)), Note: "see the reasons below", Bad: r.Summary.Failed > 0},
	}
	if r.EndAt == 0 {
		tiles[1].Note = "no end seen yet"
	}
	if r.Summary.Failed == 0 {
		tiles[2].Note = "nobody"
	}
	// Of a run of a few seconds, the rate over all of it may be one that none of its seconds had.
	if seconds := float64(r.Summary.TookMs) / 1000; seconds >= shortestRate {
		tiles = append(tiles, htmlreport.Tile{
			Label: "Rate",
			Value: rate(float64(len(s.users))/seconds) + "/s",
			Note:  "users, and " + units.FormatSize(int64(float64(r.Summary.Bytes)/seconds)) + "/s",
		})
	}
	if s.pauses.Count > 0 {
		tiles = append(tiles, htmlreport.Tile{
			Label: "Write pause, p99",
			Value: units.FormatDuration(s.pauses.Quantile(0.99)),
			Note:  "median " + units.FormatDuration(s.pauses.Quantile(0.5)),
		})
	}
	return tiles
}

// shortestRate is the shortest run, in seconds, that is told a rate.
const shortestRate = 10

func rate(n float64) string {
	if n < 10 {
		return fmt.Sprintf("%.1f", n)
	}
	return units.FormatInteger(int64(n + 0.5))
}

// openTable are the users who need somebody: writes wait, or nobody knows.
func (s *story) openTable() (htmlreport.Table, string) {
	table := htmlreport.Table{Heads: []string{"User", "State", "Run"}}
	for _, u := range slices.Sorted(maps.Keys(s.open)) {
		table.Rows = append(table.Rows, []string{string(u), "writes wait", s.next(u)})
	}
	for _, u := range s.run.InFlight() {
		table.Rows = append(table.Rows, []string{string(u), s.inFlight(), "dbmigrate status " + u.Arg()})
	}
	if more := len(table.Rows) - mostRows; more > 0 {
		table.Rows, table.Left = table.Rows[:mostRows], more
	}
	return table, s.openNote() + " dbmigrate status --run " + s.run.Begin.Run + " says where they are now."
}

func (s *story) openNote() string {
	if s.run.State == record.Running {
		return "The run " + runs.GoesOn() + ". If it was killed, run the same command again: it goes on where it stopped."
	}
	return "When the run ended. Run the same command again: it goes on where it stopped."
}

func (s *story) inFlight() string {
	if s.run.State == record.Running {
		return "is in flight"
	}
	return "was in flight when the run ended"
}

// next is a command that runs as it is. A restore, a thaw and a migration in split mode need more than the
// user's name: status names what ends them.
func (s *story) next(u userdb.UserID) string {
	inMode := slices.ContainsFunc(s.run.Command, func(word string) bool { return strings.HasPrefix(word, "--mode") })
	if action := s.run.Action; action == "rollback" || action == "migrate" && !inMode {
		return "dbmigrate " + action + " " + u.Arg()
	}
	return "dbmigrate status " + u.Arg()
}

// mostRows is how many users a table of the page has.
const mostRows = 20

// mostColumns is how many stretches of time a timeline has.
const mostColumns = 60

// timeline are users and bytes per second.
func (s *story) timeline() []htmlreport.Columns {
	if len(s.ends) == 0 {
		return nil
	}
	begin, end := s.run.At, max(s.run.EndAt, s.run.At+s.run.Summary.TookMs)
	for _, e := range s.ends {
		begin, end = min(begin, e.at), max(end, e.at)
	}
	// A column of less than a second would show rates that no second had.
	width := max(1000, float64(end-begin+1)/mostColumns)
	columns := int(math.Ceil(float64(end-begin+1) / width))
	place := func(at int64) int { return min(int(float64(at-begin)/width), columns-1) }
	users, failed, bytes := make([]float64, columns), make([]float64, columns), make([]float64, columns)
	for _, e := range s.ends {
		at := place(e.at)
		users[at]++
		bytes[at] += float64(e.bytes)
		if e.failed {
			failed[at]++
		}
	}
	lines := make([]bool, columns)
	for _, w := range s.run.Waves {
		if w.At > begin && w.At < end {
			lines[place(w.At)] = true
		}
	}
	seconds := width / 1000
	clock := func(at int64) string { return time.UnixMilli(at).UTC().Format("15:04:05") }
	picture := func(title string, values, bad []float64, text func(float64) string) htmlreport.Columns {
		most := slices.Max(values)
		c := htmlreport.Columns{Title: title, Most: text(most / seconds), First: clock(begin), Last: clock(end) + " UTC"}
		for i, v := range values {
			column := htmlreport.Column{Line: lines[i], Text: clock(begin+int64(float64(i)*width)) + ": " + text(v/seconds)}
			if most > 0 {
				column.Share = v / most
				if bad != nil {
					column.Bad = bad[i] / most
				}
			}
			c.Columns = append(c.Columns, column)
		}
		return c
	}
	title := "Users who ended, a second"
	if slices.Max(failed) > 0 {
		title += " (red: failed)"
	}
	return []htmlreport.Columns{
		picture(title, users, failed, func(v float64) string { return rate(v) + "/s" }),
		picture("Bytes of their files, a second", bytes, nil, func(v float64) string { return units.FormatSize(int64(v)) + "/s" }),
	}
}

// pauseBars is the histogram of write pauses.
func (s *story) pauseBars() ([]htmlreport.Bar, string) {
	if s.pauses.Count == 0 {
		return nil, ""
	}
	first, last := len(s.classes), 0
	for i, n := range s.classes {
		if n > 0 {
			first, last = min(first, i), i
		}
	}
	var bars []htmlreport.Bar
	for i := first; i <= last; i++ {
		label := "up to " + units.FormatDuration(pauseBorders[0])
		switch {
		case i == len(pauseBorders):
			label = "from " + units.FormatDuration(pauseBorders[i-1])
		case i > 0:
			label = units.FormatDuration(pauseBorders[i-1]) + " to " + units.FormatDuration(pauseBorders[i])
		}
		bars = append(bars, htmlreport.Bar{Label: label, Users: s.classes[i], Over: i > 6})
	}
	return bars, fmt.Sprintf("Of %s, from the fence to the switch: median %s, p99 %s, longest %s (%s).",
		units.Plural(int(s.pauses.Count), "user"), units.FormatDuration(s.pauses.Quantile(0.5)),
		units.FormatDuration(s.pauses.Quantile(0.99)), units.FormatDuration(s.pauses.Max), s.longest.User)
}

func (s *story) waves() htmlreport.Table {
	table := htmlreport.Table{Heads: []string{"Wave", "Gate", "Users", "Failed", "Verified", "Different", "Took", "Why"}}
	for _, w := range s.run.Waves {
		why := w.Reason
		if w.RolledBack > 0 {
			why = strings.TrimPrefix(why+"; "+units.Plural(w.RolledBack, "user")+" rolled back", "; ")
		}
		table.Rows = append(table.Rows, []string{
			w.Name, w.Gate, fmt.Sprint(w.Users), fmt.Sprint(w.Failed), fmt.Sprint(w.Verified), fmt.Sprint(w.Different),
			units.FormatDuration(time.Duration(w.TookMs) * time.Millisecond), why,
		})
	}
	return table
}

func (s *story) failureTable() htmlreport.Table {
	table := htmlreport.Table{Heads: []string{"Reason", "Users", "For example", "What failed", "Way out"}}
	failures := slices.SortedFunc(maps.Values(s.failures), func(a, b *failureCount) int {
		return cmp.Or(cmp.Compare(b.users, a.users), cmp.Compare(a.reason, b.reason))
	})
	for _, f := range failures {
		table.Rows = append(table.Rows, []string{f.reason, fmt.Sprint(f.users), string(f.first), f.message, f.wayOut})
	}
	return table
}

func (s *story) outcomeTable() htmlreport.Table {
	table := htmlreport.Table{Heads: []string{"Outcome", "Users", "Size"}}
	keys := slices.SortedFunc(maps.Keys(s.outcomes), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(s.outcomes[b].users, s.outcomes[a].users), cmp.Compare(a[1], b[1]))
	})
	for _, k := range keys {
		name := k[1]
		if k[0] != s.run.Action {
			name += " (" + k[0] + ")"
		}
		table.Rows = append(table.Rows, []string{name, units.FormatInteger(int64(s.outcomes[k].users)), units.FormatSize(s.outcomes[k].bytes)})
	}
	if n := s.run.Summary.NotBegun; n > 0 {
		table.Rows = append(table.Rows, []string{"not begun", units.FormatInteger(int64(n)), ""})
	}
	return table
}

// wayBack are the commands that undo the run, or look at it.
func (s *story) wayBack() []htmlreport.Fact {
	id := s.run.Begin.Run
	facts := []htmlreport.Fact{{Name: "Where these users are now:", Value: "dbmigrate status --run " + id}}
	switch s.run.Action {
	case "migrate":
		return append(facts,
			htmlreport.Fact{
				Name:  "Compare both sides of those who are in a Durable Object:",
				Value: "dbmigrate status --run " + id + " --output json | jq -r 'select(.servedBy==\"object\").user' | dbmigrate verify --users-file -",
			},
			htmlreport.Fact{Name: "See what a rollback would do, and change nothing:", Value: "dbmigrate rollback --run " + id + " --dry-run"},
			htmlreport.Fact{Name: "Roll them back, with everything that they wrote:", Value: "dbmigrate rollback --run " + id})
	case "rollback":
		return append(facts, htmlreport.Fact{
			Name:  "Migrate the same users again:",
			Value: "dbmigrate status --run " + id + " --output json | jq -r 'select(.servedBy==\"file\").user' | dbmigrate migrate --users-file -",
		})
	}
	return facts
}

// latencies compare what a router observed on both sides.
func latencies(o *latency.Observed) (htmlreport.Table, string) {
	if o.Requests == 0 {
		return htmlreport.Table{}, ""
	}
	table := htmlreport.Table{Heads: []string{"Requests", "Number", "Median", "p99", "Loaded by each"}}
	for _, side := range []struct {
		name string
		of   *latency.Side
	}{{"before: from the file", &o.File}, {"after: in the Durable Object", &o.Store}} {
		for kind, what := range []string{"reads", "writes"} {
			times := side.of.Of(kind == 1)
			if times.Count == 0 {
				continue
			}
			table.Rows = append(table.Rows, []string{
				what + " " + side.name, units.FormatInteger(times.Count), units.FormatDuration(times.Quantile(0.5)),
				units.FormatDuration(times.Quantile(0.99)), units.FormatSize(side.of.Bytes / side.of.Count()),
			})
		}
	}
	return table, fmt.Sprintf("As the router observed %s of users in this run; %d failed.", units.FormatInteger(o.Requests)+" requests", o.Failed)
}
