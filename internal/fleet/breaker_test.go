package fleet

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/breaker"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// deadFor is a Worker that does not answer for a while. Each user's request fails after a minute.
type deadFor struct {
	until time.Time
	begun []userdb.UserID
}

func (d *deadFor) ask(context.Context) error {
	if time.Now().Before(d.until) {
		return &userdb.Error{Op: "greet", Kind: userdb.Unreachable, Err: errors.New("HTTP 502")}
	}
	return nil
}

func (d *deadFor) move(ctx context.Context, u userdb.UserID) result.Result {
	d.begun = append(d.begun, u)
	r := result.Result{User: u, Action: result.ActionMigrate, Outcome: result.OutcomeMigrated}
	if d.ask(ctx) != nil {
		time.Sleep(time.Minute)
	}
	if err := d.ask(ctx); err != nil {
		r.Outcome, r.Failure = result.OutcomeFailed, err
	}
	return r
}

// run moves 50 users, one at a time, while the Worker is dead for so long.
func (d *deadFor) run(t *testing.T, ctx context.Context, dead, giveUp time.Duration) (Summary, string) {
	t.Helper()
	d.until = time.Now().Add(dead)
	var stdout, stderr bytes.Buffer
	r := &Runner{
		Engine:      &migrate.Engine{Concurrency: 1},
		Out:         terminal.New(terminal.Options{Out: &stdout, Err: &stderr, Format: terminal.JSON}),
		Services:    []breaker.Probe{{Service: userdb.ServiceWorker, Ask: d.ask}},
		GiveUpAfter: giveUp,
	}
	summary, err := r.Run(ctx, All(fleet(50)), Job{Action: result.ActionMigrate, Do: d.move})
	if err != nil {
		t.Fatal(err)
	}
	return summary, stderr.String()
}

// A dead Worker fails a few users and not the fleet: the run waits, says so, and goes on when it is back.
func TestADeadServiceFailsFewUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadFor{}
		s, said := d.run(t, t.Context(), 8*time.Minute, 20*time.Minute)
		if s.Failed != breaker.MostInARow || s.Outcomes[result.OutcomeMigrated] != 50-breaker.MostInARow || s.NotBegun != 0 {
			t.Errorf("%+v", s)
		}
		for _, want := range []string{"waiting for the Worker (try 1 of 25): greet: HTTP 502", "(try 5 of 25)", "going on"} {
			if !strings.Contains(said, want) {
				t.Errorf("it does not say %q:\n%s", want, said)
			}
		}
	})
}

// After --give-up-after the others are not begun.
func TestADeadServiceIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadFor{}
		s, said := d.run(t, t.Context(), time.Hour, 10*time.Minute)
		if s.Failed != breaker.MostInARow || s.NotBegun != 50-breaker.MostInARow || len(d.begun) != breaker.MostInARow || s.Exit != ExitFailed {
			t.Errorf("%+v", s)
		}
		if want := "stopped: the Worker has not answered for 10m"; !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	})
}

// A signal ends the wait.
func TestASignalEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
		defer stop()
		s, _ := (&deadFor{}).run(t, ctx, time.Hour, 30*time.Minute)
		if !s.Interrupted || s.NotBegun != 50-breaker.MostInARow {
			t.Errorf("%+v", s)
		}
	})
}
