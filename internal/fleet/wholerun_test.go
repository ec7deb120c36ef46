package fleet_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/quarantine"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// wholeRun is a fleet in the world: five users have files that can be moved, and one has not.
type wholeRun struct {
	t              *testing.T
	w              *world.World
	e              *migrate.Engine
	users          []inspect.Found
	stdout, stderr bytes.Buffer
	state          string
	list           *quarantine.List
}

const refused = "user-refused"

func newWholeRun(t *testing.T) *wholeRun {
	w := world.New(t.TempDir())
	r := &wholeRun{t: t, w: w, state: t.TempDir(), list: &quarantine.List{Objects: w.Bucket}}
	r.e = w.Engine("run-1", w.Bucket, w.Objects, w.Objects)
	r.e.Concurrency = 2
	for i := range 5 {
		r.add(userdb.UserID(fmt.Sprintf("user-%d", i)), databaseFile(t))
	}
	r.add(refused, []byte("no database"))
	return r
}

func (r *wholeRun) add(u userdb.UserID, content []byte) {
	key := r.w.Layout.Key(u)
	etag, err := r.w.Bucket.Put(r.t.Context(), key, bytes.NewReader(content), int64(len(content)), userdb.PutOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.users = append(r.users, inspect.Found{User: u, Key: key, Bytes: int64(len(content)), ETag: etag, Place: inspect.PlaceFile})
}

func databaseFile(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "a.sqlite")
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.Exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// run goes through the users as cmd/dbmigrate does it, with everything that a run may have beside them.
func (r *wholeRun) run(p migrate.Procedure, waves []fleet.Wave) (fleet.Summary, string) {
	r.t.Helper()
	r.stdout.Reset()
	r.stderr.Reset()
	warn := func(format string, args ...any) { fmt.Fprintf(&r.stderr, format+"\n", args...) }
	traffic := fleet.NewTraffic()
	metrics := filepath.Join(r.state, "metrics")
	watch := &fleet.Watch{
		Reason:      "a test",
		Command:     []string{"migrate", "--all"},
		MetricsFile: metrics,
		Traffic:     traffic,
		Getenv: func(name string) string {
			return map[string]string{"XDG_STATE_HOME": r.state, "USER": "operator"}[name]
		},
		Warn: warn,
	}
	if err := watch.Check(); err != nil {
		r.t.Fatal(err)
	}
	guard := &fleet.Guard{List: r.list, Run: "run-1", Warn: warn}
	err := guard.Load(func() (quarantine.Known, error) { return r.list.Load(r.t.Context(), "") }, r.users)
	if err != nil {
		r.t.Fatal(err)
	}
	runner := &fleet.Runner{
		Engine:    r.e,
		Out:       terminal.New(terminal.Options{Out: &r.stdout, Err: &r.stderr, Format: terminal.Table}),
		Traffic:   traffic,
		Observers: []fleet.Observer{watch},
	}
	if len(waves) > 1 {
		runner.Gate = &fleet.Gate{Verify: func(_ context.Context, u userdb.UserID) result.Result {
			return result.Result{User: u, Action: result.ActionVerify, Outcome: result.OutcomeEqual}
		}}
	}
	job := runner.Follow(fleet.Job{Action: result.ActionMigrate, Do: guard.Guard(r.e.Migrate)}, p)
	sum, err := runner.Run(r.t.Context(), waves, job)
	if err != nil {
		r.t.Fatal(err)
	}
	watch.Leave(r.e, fleet.ActMark, 1, 1, sum)
	written, err := os.ReadFile(metrics)
	if err != nil {
		r.t.Error(err)
	}
	return sum, string(written)
}

// TestAWholeRun: each of the three kinds of writers, in one step or in waves. Five users move. One is
// refused and put into quarantine, and the next run passes that user over. Record and metrics are written.
func TestAWholeRun(t *testing.T) {
	for name, p := range map[string]migrate.Procedure{
		"fence-aware":   {},
		"conditional":   {Writers: migrate.WritersConditional, LongestRequest: time.Millisecond},
		"unconditional": {Writers: migrate.WritersUnconditional, LongestRequest: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			r := newWholeRun(t)
			sum, metrics := r.run(p, fleet.All(r.users))
			if sum.Failed != 1 || sum.Users != 6 || sum.Outcomes[result.OutcomeMigrated] != 5 {
				t.Errorf("%+v\n%s", sum, &r.stderr)
			}
			for _, want := range []string{"user-3", refused, "migrated", "failed"} {
				if !strings.Contains(r.stdout.String(), want) {
					t.Errorf("no %q in\n%s", want, &r.stdout)
				}
			}
			if !strings.Contains(metrics, `outcome="migrated"`) || !strings.HasSuffix(metrics, "# EOF\n") {
				t.Errorf("metrics:\n%s", metrics)
			}
			records, _ := filepath.Glob(filepath.Join(r.state, "dbmigrate", fleet.RecordFolder, "*"))
			if len(records) == 0 {
				t.Errorf("no record under %s", r.state)
			}
			again := []fleet.Wave{
				{Name: "canary", Canary: true, Users: r.users[:1]}, {Name: "rest", Users: r.users[1:]},
			}
			sum, _ = r.run(p, again)
			if sum.Outcomes[result.OutcomeAlready] != 5 || sum.Outcomes[result.OutcomeQuarantined] != 1 {
				t.Errorf("again: %+v\n%s", sum, &r.stderr)
			}
		})
	}
}

// TestThePlan names each user and what would become of that user.
func TestThePlan(t *testing.T) {
	r := newWholeRun(t)
	if err := r.list.Add(t.Context(), r.e.Migrate(t.Context(), refused), "run-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	guard := &fleet.Guard{List: r.list}
	if err := guard.Load(func() (quarantine.Known, error) { return r.list.Load(t.Context(), "") }, r.users); err != nil {
		t.Fatal(err)
	}
	r.users[0].Place, r.users[1].Place, r.users[2].Place = inspect.PlaceObject, inspect.PlaceMissing, inspect.PlaceUnreadable
	out := terminal.New(terminal.Options{Out: &r.stdout, Err: &r.stderr, Format: terminal.Table})
	if err := fleet.PrintPlan(out, fleet.All(r.users), guard); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{
		"user-0": "check", "user-1": "fail", "user-2": "cannot be read", "user-3": "migrate", refused: "skip",
	} {
		if !lineHas(r.stdout.String(), user, want) {
			t.Errorf("%s: no %q in\n%s", user, want, &r.stdout)
		}
	}
	if !strings.Contains(r.stderr.String(), "2 to migrate") {
		t.Errorf("%s", &r.stderr)
	}
}

func lineHas(text, first, second string) bool {
	for line := range strings.Lines(text) {
		if strings.Contains(line, first) && strings.Contains(line, second) {
			return true
		}
	}
	return false
}
