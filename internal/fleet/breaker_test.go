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
		for _, want := range []string{"waiting for the Worker (try 1 of 26): greet: HTTP 502", "(try 5 of 26)", "going on"} {
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

// gated is a wave of 50 users who are moved at once. The Worker is dead from then on, for so long.
func (d *deadFor) gated(t *testing.T, dead, giveUp time.Duration, failures float64) (s Summary, out, said string) {
	t.Helper()
	slowly := func(u userdb.UserID, action result.Action, well result.Outcome) result.Result {
		d.begun = append(d.begun, u)
		r := result.Result{User: u, Action: action, Outcome: well}
		if d.ask(t.Context()) != nil {
			time.Sleep(time.Minute)
		}
		if err := d.ask(t.Context()); err != nil {
			return r.End(0, err)
		}
		return r
	}
	d.until = time.Now().Add(dead)
	var stdout, stderr bytes.Buffer
	r := &Runner{
		Engine: &migrate.Engine{Concurrency: 1},
		Out:    terminal.New(terminal.Options{Out: &stdout, Err: &stderr, Format: terminal.JSON}),
		Gate: &Gate{
			Failures: failures,
			Rollback: true,
			Verify: func(_ context.Context, u userdb.UserID) result.Result {
				return slowly(u, result.ActionVerify, result.OutcomeEqual)
			},
			Undo: func(_ context.Context, u userdb.UserID) result.Result {
				return slowly(u, result.ActionRollback, result.OutcomeRestored)
			},
		},
		Services:    []breaker.Probe{{Service: userdb.ServiceWorker, Ask: d.ask}},
		GiveUpAfter: giveUp,
	}
	s, err := r.Run(t.Context(), All(fleet(50)), Job{
		Action: result.ActionMigrate,
		Do:     func(_ context.Context, u userdb.UserID) result.Result { return done(u) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, stdout.String(), stderr.String()
}

// A Worker that dies under the looks at a wave, or under the way back, costs a few users and not the wave.
func TestADeadServiceHoldsUpAGate(t *testing.T) {
	for name, c := range map[string]struct {
		dead     time.Duration
		failures float64
		want     []string
	}{
		"verified when it is back":   {8 * time.Minute, 100, []string{`"verified":47`, `"unverified":3`, `"gate":"passed"`}},
		"taken back when it is back": {8 * time.Minute, 0, []string{`"verified":47`, `"rolledBack":50`, `"gate":"stopped"`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, out, said := (&deadFor{}).gated(t, c.dead, 20*time.Minute, c.failures)
				if s.Failed != breaker.MostInARow || !strings.Contains(said, "waiting for the Worker") {
					t.Errorf("%d failed:\n%s", s.Failed, said)
				}
				for _, want := range c.want {
					if !strings.Contains(out, want) {
						t.Errorf("it lacks %s:\n%s", want, out)
					}
				}
			})
		})
	}
}

// Where the Worker stays dead, nobody is tried one by one: nothing is known of those who are left, they are
// not taken back, and both is said.
func TestADeadServiceStopsAGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadFor{}
		s, out, said := d.gated(t, 24*time.Hour, 10*time.Minute, 2)
		if len(d.begun) != breaker.MostInARow || s.Exit != ExitFailed {
			t.Errorf("%d were begun, exit %d", len(d.begun), s.Exit)
		}
		for _, want := range []string{`"verified":0`, `"unverified":50`, `"rolledBack":0`, `"gate":"stopped"`} {
			if !strings.Contains(out, want) {
				t.Errorf("it lacks %s:\n%s", want, out)
			}
		}
		if n := strings.Count(out, `"action":"rollback","outcome":"not-begun"`); n != 50 {
			t.Errorf("%d of 50 are shown as not taken back:\n%s", n, out)
		}
		if n := strings.Count(out, "\"hint\":\"`dbmigrate rollback user-"); n != 50 {
			t.Errorf("of %d of 50 it says what takes them back:\n%s", n, out)
		}
		for _, want := range []string{"the Worker has not answered for 10m", "not taken back: 50 users: user-"} {
			if !strings.Contains(said, want) {
				t.Errorf("it does not say %q:\n%s", want, said)
			}
		}
	})
}
