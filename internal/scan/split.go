package scan

import (
	"cmp"
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// What a scan says about a split, promised in docs/scripting.md.
const (
	SplitReady   = "ready"   // rows would move
	SplitNothing = "nothing" // no row is cold
	SplitBlocked = "blocked" // the policy does not fit, or a Durable Object could not hold the database
	SplitFailed  = "failed"  // the object cannot be read
	SplitNoFile  = "no-file" // nothing in R2 to split: no file, or the Durable Object serves
)

// SplitUser is one user of a scan with a policy.
type SplitUser struct {
	User    userdb.UserID    `json:"user"`
	Key     userdb.ObjectKey `json:"key"`
	Bytes   int64            `json:"bytes"`
	Place   inspect.Place    `json:"servedBy"`
	Verdict string           `json:"split"`
	// HotBytes is an estimate.
	HotBytes  int64             `json:"hotBytes,omitempty"`
	ColdRows  int64             `json:"coldRows,omitempty"`
	ColdBytes int64             `json:"coldBytes,omitempty"`
	Tables    []split.TablePlan `json:"tables,omitempty"`

	Blocked []string             `json:"blocked,omitempty"`
	Reasons []sqlitefile.Problem `json:"reasons,omitempty"`
	Error   *userdb.ErrorJSON    `json:"error,omitempty"`
}

// SplitTotals is the summary.
type SplitTotals struct {
	Users     int    `json:"users"`
	Bytes     int64  `json:"bytes"`
	At        string `json:"at"`
	Ready     int    `json:"ready"`
	Nothing   int    `json:"nothing"`
	Blocked   int    `json:"blocked"`
	NoFile    int    `json:"noFile"`
	Failed    int    `json:"failed,omitempty"`
	ColdRows  int64  `json:"coldRows"`
	ColdBytes int64  `json:"coldBytes"`
	HotBytes  int64  `json:"hotBytes"`
	FileBytes int64  `json:"fileBytes"`
	// Tables are those with rows that the policy means, of all users together.
	Tables []split.TablePlan `json:"tables,omitempty"`
}

// SplitReport says what a split would move.
type SplitReport struct {
	Users  []SplitUser
	Totals SplitTotals
}

// SurveySplit says for each of the users what a split by the policy would move, at one moment.
func SurveySplit(
	ctx context.Context,
	e Engine,
	found []inspect.Found,
	policy *split.Policy,
	at time.Time,
	o Options,
) (*SplitReport, error) {
	lines, err := lookSplits(ctx, e, found, policy, at, &o)
	if err != nil {
		return nil, err
	}
	r := &SplitReport{Users: lines, Totals: SplitTotals{At: at.UTC().Format(time.RFC3339)}}
	for _, l := range lines {
		r.Totals.add(l)
	}
	return r, nil
}

func lookSplits(
	ctx context.Context,
	e Engine,
	found []inspect.Found,
	policy *split.Policy,
	at time.Time,
	o *Options,
) ([]SplitUser, error) {
	lines, sizes := make([]SplitUser, len(found)), map[string]int64{}
	for i, f := range found {
		lines[i] = SplitUser{User: f.User, Key: f.Key, Bytes: f.Bytes, Place: f.Place, Verdict: SplitNoFile}
		if f.Place == inspect.PlaceUnreadable {
			lines[i].fail(f.Err)
		}
		if hasRows(f.Place) {
			sizes[string(f.User)] = f.Bytes
		}
	}
	progress := o.Out.NewProgress("scan", sizes, nil)
	defer progress.Close()
	var sick inspect.Sick
	err := parallel.Each(ctx, len(lines), o.Concurrency, func(ctx context.Context, i int) error {
		if !hasRows(lines[i].Place) {
			return nil
		}
		err := lines[i].look(ctx, e, policy, at)
		if err != nil {
			lines[i].fail(err)
		}
		progress.Finish(string(lines[i].User), err == nil && len(lines[i].Blocked) == 0)
		return sick.Saw(err)
	})
	return lines, cmp.Or(err, sick.Most())
}

// fail notes that the object cannot be read.
func (l *SplitUser) fail(err error) {
	described := userdb.ErrorOf(err)
	l.Verdict, l.Error = SplitFailed, &described
}

// hasRows says whether the file has rows that could move: all of the user's, or the hot ones of one who is
// split.
func hasRows(p inspect.Place) bool { return p == inspect.PlaceFile || p == inspect.PlaceSplit }

func (l *SplitUser) look(ctx context.Context, e Engine, policy *split.Policy, at time.Time) error {
	plan, found, err := e.LookSplit(ctx, l.User, policy, at)
	switch userdb.KindOf(err) {
	case "":
		l.take(plan)
		return nil
	case userdb.NotFound:
		return nil
	case userdb.NotSQLite, userdb.Damaged, userdb.Blocked, userdb.TooCostly:
		l.Verdict, l.Blocked, l.Reasons = SplitBlocked, []string{err.Error()}, found.Problems()
		return nil
	}
	return err
}

func (l *SplitUser) take(plan *split.Plan) {
	l.Verdict, l.HotBytes, l.ColdRows = SplitReady, plan.HotBytesEstimate, plan.ColdRows()
	if plan.Empty() {
		l.Verdict = SplitNothing
	}
	for _, t := range plan.Tables {
		if t.Meant > 0 {
			l.ColdBytes += t.ColdBytes
			l.Tables = append(l.Tables, t)
		}
	}
}

func (t *SplitTotals) addTable(table split.TablePlan) {
	for i := range t.Tables {
		if t.Tables[i].Name == table.Name {
			t.Tables[i].Add(table)
			return
		}
	}
	sum := split.TablePlan{Name: table.Name}
	sum.Add(table)
	t.Tables = append(t.Tables, sum)
}

func (t *SplitTotals) add(l SplitUser) {
	t.Users++
	t.Bytes += l.Bytes
	for _, table := range l.Tables {
		t.addTable(table)
	}
	switch l.Verdict {
	case SplitReady:
		t.Ready++
		t.ColdRows += l.ColdRows
		t.ColdBytes += l.ColdBytes
		t.HotBytes += l.HotBytes
		t.FileBytes += l.Bytes
	case SplitNothing:
		t.Nothing++
	case SplitBlocked:
		t.Blocked++
	case SplitFailed:
		t.Failed++
	case SplitNoFile:
		t.NoFile++
	}
}
