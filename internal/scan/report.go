// Package scan says who should move, what stands in the way, how users grow, and what it costs.
package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/latency"
	"github.com/dbmigrate/dbmigrate/internal/spill"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

const (
	// NoteFrom is the size from which a database is worth watching.
	NoteFrom = 512 * units.KB
	// RecommendFrom is the size from which moving is recommended, unless the operator says otherwise.
	RecommendFrom = units.MB
)

// Engine is what a scan needs of the engine: it only reads.
type Engine interface {
	ScanEach(ctx context.Context, opts inspect.ScanOptions, yield func(inspect.Found) error) error
	LookDeep(ctx context.Context, u userdb.UserID) (sqlitefile.Report, error)
	LookSplit(
		ctx context.Context,
		u userdb.UserID,
		policy *split.Policy,
		at time.Time,
	) (*split.Plan, sqlitefile.Report, error)
}

// Options say how far a scan looks.
type Options struct {
	Prefix    string
	Threshold int64 // of moving, in bytes
	Deep      bool  // read files that are still in R2
	// Sample is the share of the files that Deep reads, in percent; 0: all.
	Sample float64
	// Concurrency is how many files are read at once.
	Concurrency int
	// ForeignMark asks the user's Durable Object whether it knows the file's mark; nil: there is no Worker to
	// ask.
	ForeignMark func(context.Context, userdb.UserID) (*inspect.ForeignMark, error)
	// Past remembers scans; nil: nothing is remembered. Consistent asks for so many scans over the threshold.
	Past       Memory
	Consistent int
	// Traffic is how much the application is used; nil: nobody said.
	Traffic *cost.Traffic
	// Requests are those that a router observed; nil: nobody wrote them down.
	Requests *latency.Observed
	// Run names this scan in the history.
	Run string
	// Out shows progress and warnings.
	Out *terminal.Output
	// Scratch is where many users are sorted; nil: the system's folder for temporary files.
	Scratch userfile.Scratch
}

// Report is what a scan found, and what follows from it. Its users are in scratch files if there are many.
type Report struct {
	At     time.Time
	Deep   bool
	Sample float64
	Totals Totals
	Cost   FleetCost

	requests  *latency.Observed
	traffic   *cost.Traffic
	elsewhere elsewhere
	trend     trend
	lines     *spill.Sorter[line]
	moving    moving
	picture   picture
}

// ReadRequests reads what a router's observer wrote, before anything else is asked of anybody.
func ReadRequests(path string, threshold int64) (*latency.Observed, error) {
	o, err := latency.ReadFile(path, bordersWith(threshold), nil)
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	if err == nil && o.Requests == 0 {
		err = errors.New("no line of it is a request of a router")
	}
	if err != nil {
		return nil, userdb.UsageError("read --requests", path, err.Error(),
			"name a file of JSON lines that the router's `observe: jsonLines(...)` wrote")
	}
	return o, nil
}

// Survey looks at every user, then at the past, then at the prices. Close the report.
func Survey(ctx context.Context, e Engine, o Options) (*Report, error) {
	r := &Report{
		At:       time.Now(),
		Deep:     o.Deep,
		Sample:   o.Sample,
		Totals:   Totals{Threshold: o.Threshold},
		requests: o.Requests,
		traffic:  o.Traffic,
	}
	found, err := r.look(ctx, e, &o)
	if err == nil {
		err = r.remember(ctx, found, &o)
	}
	if found != nil {
		err = errors.Join(err, found.Close())
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.trend.crossing = r.Totals.Crossing
	r.price(o.Traffic)
	return r, nil
}

// Each calls yield for every user, the largest first.
func (r *Report) Each(yield func(*User) error) error {
	return r.lines.Each(func(l line) error {
		u := l.whole()
		return yield(&u)
	})
}

// Close removes the report's scratch files.
func (r *Report) Close() error {
	if r.lines == nil {
		return nil
	}
	return r.lines.Close()
}

// begin forgets all users: the past may be read again.
func (r *Report) begin(o *Options) error {
	if err := r.Close(); err != nil {
		return err
	}
	r.lines = o.sorter(bySize)
	r.Totals = Totals{Threshold: o.Threshold, FlagsUnread: r.Totals.FlagsUnread}
	r.moving, r.picture = moving{}, newPicture(o.Threshold)
	return nil
}

// take counts a user once everything is known.
func (r *Report) take(u User, o *Options) error {
	u.insist(o.Consistent, o.Threshold)
	r.moving.add(&u, o.Traffic)
	r.Totals.add(u)
	r.picture.add(&u)
	return r.lines.Add(lineOf(u))
}

// Totals is the summary of a scan (docs/scripting.md).
type Totals struct {
	Users        int   `json:"users"`
	Bytes        int64 `json:"bytes"`
	Threshold    int64 `json:"threshold"`
	Migrate      int   `json:"migrate"`
	MigrateBytes int64 `json:"migrateBytes"`
	Note         int   `json:"note"`
	Migrated     int   `json:"migrated"`
	Check        int   `json:"check"`
	Blocked      int   `json:"blocked"`
	Largest      int64 `json:"largestBytes"` // of those in R2
	Crossing     int   `json:"crossing"`

	Scans         int        `json:"scans,omitempty"` // of the whole bucket that the history holds
	GrowthPerWeek *float64   `json:"growthBytesPerWeek,omitempty"`
	Cost          *FleetCost `json:"cost,omitempty"`

	// Elsewhere counts objects that look like databases and are not where the layout has one, as far as they
	// were met; ElsewhereKey is one of them.
	Elsewhere    int              `json:"elsewhere,omitempty"`
	ElsewhereKey userdb.ObjectKey `json:"elsewhereKey,omitempty"`

	FlagsUnread bool `json:"flagsUnread,omitempty"`
	// HistoryUnwritten says that there is a history, and that this scan is not in it.
	HistoryUnwritten bool `json:"historyUnwritten,omitempty"`
	Failed           int  `json:"failed,omitempty"`
}

func (t *Totals) add(s User) {
	t.Users++
	t.Bytes += s.Bytes
	switch s.Advice {
	case AdviceMigrate:
		t.Migrate++
		t.MigrateBytes += s.Bytes
	case AdviceNote:
		t.Note++
	case AdviceMigrated:
		t.Migrated++
	case AdviceCheck:
		t.Check++
	}
	if len(s.Blocked) > 0 {
		t.Blocked++
	}
	if s.Error != nil {
		t.Failed++
	}
	if s.CrossesInDays != nil {
		t.Crossing++
	}
	if s.Place == inspect.PlaceFile {
		t.Largest = max(t.Largest, s.Bytes)
	}
}

// Summary completes the totals with what is of the whole bucket.
func (r *Report) Summary() *Totals {
	t := &r.Totals
	t.Scans = len(r.trend.points)
	t.Elsewhere, t.ElsewhereKey = r.elsewhere.objects, r.elsewhere.first
	if r.trend.known {
		t.GrowthPerWeek = rounded(r.trend.perWeek, 1)
	}
	if r.Cost.Users > 0 {
		t.Cost = &r.Cost
	}
	return t
}

// More are the counts that a scan mentions only where there are some.
func (t *Totals) More() string {
	text := ""
	if t.Check > 0 {
		text += fmt.Sprintf(", %d to check (see `dbmigrate status --all`)", t.Check)
	}
	if t.Blocked > 0 {
		text += fmt.Sprintf(", %d blocked", t.Blocked)
	}
	return text
}

// Growth says how the whole bucket grows, "" where nothing is known.
func (r *Report) Growth() string { return r.trend.sentence(r.Totals.Threshold) }

// Growth is the user's growth by the week, "" where it is not known.
func (u *User) Growth() string {
	if u.GrowthPerWeek == nil || *u.GrowthPerWeek == 0 {
		return ""
	}
	return units.FormatGrowth(*u.GrowthPerWeek)
}

// Crosses says in how many days the user will cross the threshold, "" where that is not soon.
func (u *User) Crosses() string {
	if u.CrossesInDays == nil {
		return ""
	}
	if *u.CrossesInDays < 0.5 {
		return "<1d"
	}
	return fmt.Sprintf("%.0fd", *u.CrossesInDays)
}

// Monthly is what the user's move changes on a month's bill, "" where it is not known.
func (u *User) Monthly() string {
	if u.Cost == nil || u.Cost.Monthly == nil {
		return ""
	}
	return cost.FormatChange(*u.Cost.Monthly)
}
