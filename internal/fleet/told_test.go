package fleet

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// heard is an observer that remembers what it is told.
type heard struct {
	users []result.Result
	at    func() string
	seen  string
}

func (h *heard) Begin(Begin)          {}
func (h *heard) User(r result.Result) { h.users = append(h.users, r) }
func (h *heard) Begun(userdb.UserID)  {}
func (h *heard) Left()                {}
func (h *heard) Wave(*WaveLine)       {}
func (h *heard) End(*Summary) {
	if h.at != nil {
		h.seen = h.at()
	}
}

// TestObserversHearOfAUserAgain: the record names who was rolled back after the move; the last line of a user
// is how the user ended.
func TestObserversHearOfAUserAgain(t *testing.T) {
	var h heard
	out := terminal.New(terminal.Options{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Format: terminal.JSON})
	moved := func(_ context.Context, u userdb.UserID) result.Result {
		return result.Result{User: u, Action: result.ActionMigrate, Outcome: result.OutcomeMigrated}
	}
	gate := &Gate{Rollback: true,
		Verify: func(_ context.Context, u userdb.UserID) result.Result {
			return result.Result{User: u, Action: result.ActionVerify, Outcome: result.OutcomeDifferent}
		},
		Undo: func(_ context.Context, u userdb.UserID) result.Result {
			return result.Result{User: u, Action: result.ActionRollback, Outcome: result.OutcomeRestored}
		}}
	r := &Runner{Engine: &migrate.Engine{Concurrency: 1}, Out: out, Gate: gate, Observers: []Observer{&h}}
	if _, err := r.Run(t.Context(), All(fleet(1)), Job{Action: result.ActionMigrate, Do: moved}); err != nil {
		t.Fatal(err)
	}
	var outcomes []result.Outcome
	for _, u := range h.users {
		outcomes = append(outcomes, u.Outcome)
	}
	if want := []result.Outcome{result.OutcomeMigrated, result.OutcomeDifferent, result.OutcomeRestored}; !slices.Equal(
		outcomes,
		want,
	) {
		t.Errorf("told %v, want %v", outcomes, want)
	}
}

// TestSummaryComesBeforeTheCopies: who reads stdout does not wait for copies in R2.
func TestSummaryComesBeforeTheCopies(t *testing.T) {
	var stdout, stderr bytes.Buffer
	h := heard{at: func() string { return stdout.String() + stderr.String() }}
	r := &Runner{
		Engine:    &migrate.Engine{Concurrency: 1},
		Out:       terminal.New(terminal.Options{Out: &stdout, Err: &stderr, Format: terminal.JSON}),
		Observers: []Observer{&h},
	}
	_, _ = r.Run(
		t.Context(),
		All(fleet(1)),
		Job{Action: result.ActionMigrate, Do: func(_ context.Context, u userdb.UserID) result.Result {
			return result.Result{
				User:    u,
				Action:  result.ActionMigrate,
				Outcome: result.OutcomeMigrated,
				Open:    true,
			}
		}},
	)
	for _, want := range []string{`"summary"`, "open: user-0"} {
		if !strings.Contains(h.seen, want) {
			t.Errorf("%s comes after the copies: %s", want, h.seen)
		}
	}
}

// TestPreparationThatFails begins nobody, and says nothing of users.
func TestPreparationThatFails(t *testing.T) {
	var stdout bytes.Buffer
	r := &Runner{
		Engine: &migrate.Engine{Concurrency: 1},
		Out:    terminal.New(terminal.Options{Out: &stdout, Err: new(bytes.Buffer), Format: terminal.JSON}),
	}
	cause := errors.New("KV does not answer")
	_, err := r.Run(
		t.Context(),
		All(fleet(3)),
		Job{
			Action: result.ActionMigrate,
			Before: func(context.Context, []inspect.Found) error { return cause },
		},
	)
	if !errors.Is(err, cause) || stdout.Len() > 0 {
		t.Errorf("%v, %s", err, &stdout)
	}
}

// TestMaxFailures begins no more users; those that were not begun are accounted for.
func TestMaxFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := (&migrate.Engine{}).Migrate(t.Context(), "a/b") // any failure will do
		r := &Runner{
			Engine:      &migrate.Engine{Concurrency: 1},
			Out:         terminal.New(terminal.Options{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Format: terminal.JSON}),
			MaxFailures: 2,
		}
		job := func(_ context.Context, u userdb.UserID) result.Result {
			time.Sleep(time.Second) // virtual: what failed is counted before the next user ends
			failed.User = u
			return failed
		}
		s, err := r.Run(t.Context(), All(fleet(100)), Job{Action: result.ActionMigrate, Do: job})
		if err != nil || s.Failed < 2 || s.NotBegun == 0 || s.Failed+s.NotBegun != 100 || s.Exit != ExitFailed {
			t.Errorf("%v, %+v", err, s)
		}
	})
}
