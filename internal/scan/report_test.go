package scan

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/scanlog"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// bucket is an engine over users in memory.
type bucket struct {
	found   []inspect.Found
	unread  error
	refused map[userdb.UserID]error
}

func (b *bucket) ScanEach(_ context.Context, o inspect.ScanOptions, yield func(inspect.Found) error) error {
	if b.unread != nil {
		o.WithoutFlags(b.unread)
	}
	for _, f := range b.found {
		if err := yield(f); err != nil {
			return err
		}
	}
	return nil
}

// usersOf are all users of a report, by name.
func usersOf(t *testing.T, r *Report) map[userdb.UserID]User {
	t.Helper()
	users := map[userdb.UserID]User{}
	if err := r.Each(func(u *User) error { users[u.User] = *u; return nil }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return users
}

func (b *bucket) LookDeep(_ context.Context, u userdb.UserID) (sqlitefile.Report, error) {
	return sqlitefile.Report{}, b.refused[u]
}

func (b *bucket) LookSplit(
	_ context.Context,
	u userdb.UserID,
	_ *split.Policy,
	_ time.Time,
) (*split.Plan, sqlitefile.Report, error) {
	return &split.Plan{}, sqlitefile.Report{}, b.refused[u]
}

func options(stderr *bytes.Buffer) Options {
	return Options{
		Threshold:   RecommendFrom,
		Concurrency: 2,
		Out:         terminal.New(terminal.Options{Out: new(bytes.Buffer), Err: stderr, Format: terminal.JSON}),
	}
}

// TestSurvey: what a scan says of each user, and of all of them, from what the engine and the past show.
func TestSurvey(t *testing.T) {
	var stderr bytes.Buffer
	damaged := &userdb.Error{Op: "open", Kind: userdb.Damaged, Err: errors.New("malformed")}
	b := &bucket{refused: map[userdb.UserID]error{"broken": damaged}, found: []inspect.Found{
		{
			User:  "large",
			Bytes: 2 * units.MB,
			Place: inspect.PlaceFile,
		}, {User: "broken", Bytes: 2 * units.MB, Place: inspect.PlaceFile},
		{
			User:  "near",
			Bytes: 950 * units.KB,
			Place: inspect.PlaceFile,
		}, {User: "moved", Place: inspect.PlaceObject, Flagged: true},
		{User: "sick", Place: inspect.PlaceUnreadable, Err: errors.New("HTTP 500")},
	}}
	o := options(&stderr)
	o.Deep, o.Traffic = true, &cost.Traffic{RequestsPerDay: 200, WritesShare: 0.5}
	history := History{File: t.TempDir() + "/history.sqlite", Scope: scanlog.Scope{Bucket: "b"}}
	past, err := history.Open(t.Context(), nil, nil, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	o.Past, o.Run = past, "now"
	week := func(h *scanlog.History) error {
		return h.Record(
			t.Context(),
			scanlog.Scan{Run: "then", At: time.Now().Add(-7 * units.Day)},
			scanlog.SizesOf(map[string]int64{"near": 500 * units.KB, "large": units.MB}),
		)
	}
	if err := past.update(t.Context(), week); err != nil {
		t.Fatal(err)
	}
	r, err := Survey(t.Context(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	advice := map[userdb.UserID]string{}
	users := usersOf(t, r)
	for name, u := range users {
		advice[name] = u.Advice
	}
	for u, want := range map[userdb.UserID]string{"large": AdviceMigrate, "broken": AdviceMigrate, "near": AdviceNote, "moved": AdviceMigrated, "sick": AdviceCheck} {
		if advice[u] != want {
			t.Errorf("%s: %s, want %s", u, advice[u], want)
		}
	}
	s := r.Summary()
	if s.Users != 5 || s.Migrate != 2 || s.Blocked != 1 || s.Failed != 1 || s.Crossing != 1 || s.Scans != 2 ||
		s.Cost == nil ||
		s.Cost.Users != 1 ||
		s.Cost.Monthly == nil {
		t.Errorf("%+v, cost %+v", s, s.Cost)
	}
	if near := users["near"]; near.Growth() != "+450 KB" || near.Crosses() != "1d" {
		t.Errorf("near: %s, %s", near.Growth(), near.Crosses())
	}
	page := t.TempDir() + "/page.html"
	if err := r.WritePage(page, "b", "v1"); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Move 1 of 5 users now: an average write of theirs takes 39 ms today and 1.1 ms in a Durable Object, " +
			"for less than $0.01 once and a saving of less than $0.01 a month.", "under 0.01 % of writes",
		"Cost and benefit", "Less waiting", "Collisions", "Loaded a day", "Who cannot move", "the axis begins at zero", "times faster",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestStorageIsAPart: the month's cost names storage as a part of it only where it is one.
func TestStorageIsAPart(t *testing.T) {
	for _, traffic := range []cost.Traffic{{}, {RequestsPerDay: 10}, {RequestsPerDay: 200, WritesShare: 0.9}} {
		r := &Report{moving: moving{users: cost.Users{Count: 1000, Bytes: units.GB}}}
		r.price(&traffic)
		text, saves := r.Cost.monthText(), r.Cost.Monthly[1] < r.Cost.Storage
		if strings.Contains(text, "of the latter is storage") == saves {
			t.Errorf("%+v: %s", traffic, text)
		}
	}
}

// TestSample: what a sample says of the files that were not read holds them, and narrows what their sizes
// say.
func TestSample(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	held, tries := 0, 0
	for range 500 {
		var m moving
		truth, byte := int64(0), int64(0)
		for range 400 {
			bytes := int64(1_000_000 + random.IntN(20_000_000))
			rows := int64(float64(bytes) / (60 + 100*random.Float64()))
			truth, byte = truth+rows, byte+bytes
			u := User{Advice: AdviceMigrate, Bytes: bytes}
			if random.IntN(20) == 0 {
				u.RowsWritten = &rows
			}
			m.add(&u, nil)
		}
		e, sampled := m.all()
		if sampled < leastSample {
			continue
		}
		tries++
		if e.Low <= truth && truth <= e.High {
			held++
		}
		whole := cost.Estimated(byte)
		if (e.High-e.Low)*3 > whole.High-whole.Low {
			t.Errorf("%d to %d, and by size %d to %d", e.Low, e.High, whole.Low, whole.High)
		}
	}
	t.Logf("%d of %d samples hold the truth", held, tries)
	if held*10 < tries*9 {
		t.Errorf("%d of %d samples hold the truth", held, tries)
	}
	few := moving{}
	rows := int64(1)
	few.add(&User{Advice: AdviceMigrate, Bytes: units.MB, RowsWritten: &rows}, nil)
	few.add(&User{Advice: AdviceMigrate, Bytes: units.MB}, nil)
	if e, sampled := few.all(); sampled != 0 || e != cost.Counted(1).Add(cost.Estimated(units.MB)) {
		t.Errorf("one file is no sample: %+v, %d", e, sampled)
	}
}

// TestRecommendation: each kind of bucket has its sentence.
func TestRecommendation(t *testing.T) {
	for want, r := range map[string]Report{
		"found no user":                     {},
		"is in a Durable Object":            {Totals: Totals{Users: 2, Migrated: 2}},
		"largest file in R2 has 400 KB":     {Totals: Totals{Users: 2, Largest: 400_000, Threshold: units.MB}},
		"1 user should move, and cannot":    {Totals: Totals{Users: 2, Migrate: 1, Largest: units.MB}},
		"Move 2 of 3 users now: an average": {Totals: Totals{Users: 3, Migrate: 2}, moving: moving{users: cost.Users{Count: 2, Bytes: 3 * units.MB}}},
	} {
		r.price(nil)
		if got := r.Recommendation(); !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

// TestSurveyWithoutFlags: the fences of the files tell who moved, and the report says that the flags did not.
func TestSurveyWithoutFlags(t *testing.T) {
	var stderr bytes.Buffer
	b := &bucket{
		unread: errors.New("KV is down"),
		found:  []inspect.Found{{User: "moved", Place: inspect.PlaceObject}},
	}
	r, err := Survey(t.Context(), b, options(&stderr))
	if err != nil || !r.Totals.FlagsUnread || usersOf(t, r)["moved"].Advice != AdviceMigrated ||
		!strings.Contains(stderr.String(), "KV is down") {
		t.Errorf("%v, %+v, %s", err, r, &stderr)
	}
}

// TestConsistent takes the advice back from users who were not over the threshold often enough.
func TestConsistent(t *testing.T) {
	var stderr bytes.Buffer
	o := options(&stderr)
	o.Consistent = 2
	r, err := Survey(
		t.Context(),
		&bucket{found: []inspect.Found{{User: "large", Bytes: 2 * units.MB, Place: inspect.PlaceFile}}},
		o,
	)
	if err != nil || usersOf(t, r)["large"].Advice != AdviceNote || r.Totals.Migrate != 0 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestSurveySplit(t *testing.T) {
	var stderr bytes.Buffer
	blocked := &userdb.Error{Op: "open", Kind: userdb.Blocked, Err: errors.New("virtual table")}
	b := &bucket{refused: map[userdb.UserID]error{"blocked": blocked, "sick": errors.New("HTTP 500")}}
	var found []inspect.Found
	for _, u := range []userdb.UserID{"nothing", "blocked", "sick"} {
		found = append(found, inspect.Found{User: u, Bytes: 10, Place: inspect.PlaceFile})
	}
	found = append(found, inspect.Found{User: "moved", Place: inspect.PlaceObject})
	r, err := SurveySplit(t.Context(), b, found, nil, time.Now(), options(&stderr))
	if err != nil {
		t.Fatal(err)
	}
	if want := (SplitTotals{Users: 4, Bytes: 30, At: r.Totals.At, Nothing: 1, Blocked: 1, NoFile: 1, Failed: 1}); !reflect.DeepEqual(r.Totals, want) {
		t.Errorf("%+v", r.Totals)
	}
}

// TestCheckCap compares the most that a move may cost.
func TestCheckCap(t *testing.T) {
	users := []inspect.Found{
		{User: "large", Bytes: units.GB, Place: inspect.PlaceFile},
		{User: "moved", Bytes: units.TB, Place: inspect.PlaceObject},
	}
	if err := checkCap(0, users); userdb.KindOf(err) != userdb.Usage {
		t.Errorf("got %v", err)
	}
	if err := checkCap(1000, users); err != nil {
		t.Error(err)
	}
}

// TestCostsOfFewUsers: the page tells no fractions of a cent.
func TestCostsOfFewUsers(t *testing.T) {
	c := FleetCost{Users: 2, Once: [2]float64{0, 0.000025}, Storage: 0.000003, Exact: true}
	for _, fact := range c.facts()[:2] {
		if fact.Value != "less than $0.01" {
			t.Errorf("%s: %s", fact.Name, fact.Value)
		}
	}
}
