package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// beside runs a job while another run's record is in the bucket, and returns what was said.
func beside(t *testing.T, other string, do func(userdb.UserID) result.Result) (said string, s Summary) {
	t.Helper()
	w := world.New(t.TempDir())
	putRecord(t, w, other)
	return besideIn(t, w, do)
}

func putRecord(t *testing.T, w *world.World, other string) {
	if _, err := w.Bucket.Put(
		t.Context(), ".dbmigrate/runs/run-other.jsonl", strings.NewReader(other), int64(len(other)), userdb.PutOptions{},
	); err != nil {
		t.Error(err)
	}
}

func besideIn(t *testing.T, w *world.World, do func(userdb.UserID) result.Result) (said string, s Summary) {
	t.Helper()
	e := w.Engine("mine", w.Bucket, w.Objects, nil)
	e.Bucket = "b"
	var talk bytes.Buffer
	out := terminal.New(terminal.Options{Out: new(bytes.Buffer), Err: &talk, Format: terminal.JSON})
	state := t.TempDir()
	watch := &Watch{
		Getenv:  func(name string) string { return map[string]string{"XDG_STATE_HOME": state}[name] },
		Warn:    out.Warn,
		Command: []string{"migrate", "--all=true", "--shard=1/2"},
	}
	r := &Runner{Engine: e, Out: out, Observers: []Observer{watch}, Elsewhere: watch.Elsewhere}
	users := []inspect.Found{{User: "ann", Place: inspect.PlaceFile}, {User: "nobody", Place: inspect.PlaceMissing}}
	s, err := r.Run(t.Context(), All(users), Job{
		Action: result.ActionMigrate,
		Do:     func(_ context.Context, u userdb.UserID) result.Result { return do(u) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return talk.String(), s
}

func otherRun(command string, users ...string) string {
	text := fmt.Sprintf(
		`{"begin":{"record":1,"run":"other","action":"rollback","at":%d,"bucket":"b","users":2,"command":%s,"who":{"name":"bob"}}}`,
		time.Now().UnixMilli(), command,
	)
	for _, u := range users {
		text += fmt.Sprintf("\n{\"begun\":%q}", u)
	}
	return text + "\n"
}

func done(u userdb.UserID) result.Result {
	return result.Result{User: u, Action: result.ActionMigrate, Outcome: result.OutcomeMigrated}
}

func superseded(u userdb.UserID) result.Result {
	one := result.Result{User: u, Action: result.ActionMigrate}
	return one.End(0, &userdb.Error{Op: "claim", Kind: userdb.Superseded, Err: errors.New("claim 3 was superseded")})
}

// TestOtherRunsAreNamed: at the start a run that is active, and at a user that it took over.
func TestOtherRunsAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said, _ := beside(t, otherRun(`["rollback"]`, "ann", "nobody"), superseded)
		for _, want := range []string{
			"another run is active",
			"run other, rollback of 2 users by bob",
			"claim 3 was superseded: by run other, rollback of 2 users by bob",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("%q is missing:\n%s", want, said)
			}
		}
	})
}

// TestASupersederIsFoundLater: the other run's copy lags a few seconds behind, and there is a second look. It
// is the last: a user who is in no record is not waited for.
func TestASupersederIsFoundLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world.New(t.TempDir())
		time.AfterFunc(6*time.Second, func() { putRecord(t, w, otherRun(`["rollback"]`, "ann")) })
		begun := time.Now()
		said, _ := besideIn(t, w, superseded)
		if n := strings.Count(said, "claim 3 was superseded: by run other"); n == 0 {
			t.Error(said)
		}
		if took := time.Since(begun); took > 2*looksApart {
			t.Errorf("it took %v", took)
		}
	})
}

// TestNamesHoldUpNobody: each look takes 10 seconds, and no user waits for another one's.
func TestNamesHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Runner{
			Engine: &migrate.Engine{Concurrency: 1},
			Out:    terminal.New(terminal.Options{Out: io.Discard, Err: io.Discard, Format: terminal.JSON}),
			Elsewhere: func(context.Context, userdb.UserID) string {
				time.Sleep(10 * time.Second)
				return "run other"
			},
		}
		begun := time.Now()
		s, err := r.Run(t.Context(), All(fleet(20)), Job{
			Action: result.ActionMigrate,
			Do:     func(_ context.Context, u userdb.UserID) result.Result { return superseded(u) },
		})
		if took := time.Since(begun); err != nil || s.Failed != 20 || took > 10*time.Second {
			t.Errorf("%d failed after %v, %v", s.Failed, took, err)
		}
	})
}

// TestManyQuestionsFewLooks: who asks while a look goes on is answered by the next, and that comes a while
// later. The end of the asker's patience answers at once.
func TestManyQuestionsFewLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lookout
		looks := 0
		look := func(users map[userdb.UserID]bool) map[userdb.UserID]string {
			looks++
			time.Sleep(time.Second)
			by := map[userdb.UserID]string{}
			for u := range users {
				by[u] = "run of " + string(u)
			}
			return by
		}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				u := userdb.UserID(fmt.Sprint("user-", i))
				if by := l.ask(t.Context(), u, look); by != "run of "+string(u) {
					t.Errorf("%s: %q", u, by)
				}
			})
		}
		wg.Wait()
		if looks != 2 {
			t.Errorf("%d looks", looks)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if by := l.ask(ctx, "ann", look); by != "" {
			t.Errorf("it waited: %q", by)
		}
		time.Sleep(2 * looksApart) // for the look that nobody waits for
	})
}

// TestRunsThatWereOverTookNobody: a run that ended or was killed before this one began is not named.
func TestRunsThatWereOverTookNobody(t *testing.T) {
	const at = 1000
	for name, c := range map[string]struct {
		run  record.Run
		want bool
	}{
		"ended before":          {record.Run{State: record.Ended, EndAt: at - 1}, false},
		"ended since":           {record.Run{State: record.Ended, EndAt: at + 1}, true},
		"killed before":         {record.Run{State: record.NoEnd, Renewed: at - 1}, false},
		"killed since":          {record.Run{State: record.NoEnd, Renewed: at + 1}, true},
		"going on, copy before": {record.Run{State: record.Running, Renewed: at - 1}, true},
	} {
		if got := wentOnAfter(c.run, at); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestShardsOfOneCommandAreNoOthers.
func TestShardsOfOneCommandAreNoOthers(t *testing.T) {
	said, _ := beside(t, otherRun(`["migrate","--all=true","--shard=2/2"]`), done)
	if strings.Contains(said, "another run") {
		t.Error(said)
	}
}

// TestUnknownUsersAreNoSuccess: a name that nobody has makes the exit code 2, where nobody else failed.
func TestUnknownUsersAreNoSuccess(t *testing.T) {
	for _, c := range []struct {
		name   string
		nobody result.Result
		ann    result.Outcome
		want   int
	}{
		{"nothing to do", result.Result{Outcome: result.OutcomeNothing}, result.OutcomeMigrated, ExitUnknown},
		{"not moved", result.Result{Outcome: result.OutcomeInR2}, result.OutcomeMigrated, ExitUnknown},
		{"no file", result.Result{Failure: &userdb.Error{Kind: userdb.NotFound}}, result.OutcomeMigrated, ExitUnknown},
		{"another failed", result.Result{Outcome: result.OutcomeNothing}, result.OutcomeFailed, ExitFailed},
		{"the object has it", result.Result{Outcome: result.OutcomeExported}, result.OutcomeMigrated, ExitDone},
	} {
		said, s := beside(t, otherRun(`[]`), func(u userdb.UserID) result.Result {
			if u == "ann" {
				one := done(u)
				if one.Outcome = c.ann; c.ann == result.OutcomeFailed {
					one.Failure = errors.New("it failed")
				}
				return one
			}
			c.nobody.User, c.nobody.Action = u, result.ActionMigrate
			return c.nobody
		})
		if s.Exit != c.want || strings.Contains(said, "no such user: nobody") == (c.want == ExitDone) {
			t.Errorf("%s: exit %d, want %d:\n%s", c.name, s.Exit, c.want, said)
		}
	}
}

// TestCleanupPendingIsNoFailure: the file serves, and the command says what is left.
func TestCleanupPendingIsNoFailure(t *testing.T) {
	_, s := beside(t, otherRun(`[]`), func(u userdb.UserID) result.Result {
		one := result.Result{
			User: u, Action: result.ActionRollback, Outcome: result.OutcomeExported, CleanupPending: true,
		}
		return one.End(0, errors.New("the object does not answer"))
	})
	if s.Failed != 0 || s.Exit != ExitFailed || s.Outcomes["exported, cleanup pending"] != 2 {
		t.Errorf("%+v", s)
	}
}
