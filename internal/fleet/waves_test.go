package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func fleet(n int) []inspect.Found {
	users := make([]inspect.Found, n)
	for i := range users {
		users[i] = inspect.Found{User: userdb.UserID(fmt.Sprint("user-", i)), Place: inspect.PlaceFile}
	}
	return users
}

func TestWavesDivideTheFleet(t *testing.T) {
	users := fleet(1000)
	for name, test := range map[string]struct {
		options steps
		want    []string
		all     bool
	}{
		"canary":           {steps{canary: 3}, []string{"canary", "the rest"}, true},
		"waves":            {steps{percents: Percents{1, 10, 50, 100}}, []string{"1%", "10%", "50%", "100%"}, true},
		"both":             {steps{canary: 3, percents: Percents{10, 100}}, []string{"canary", "10%", "100%"}, true},
		"not to the end":   {steps{percents: Percents{1, 10}}, []string{"1%", "10%"}, false},
		"canary is all":    {steps{canary: 1000}, []string{"canary"}, true},
		"canary of 1%":     {steps{canary: 500, percents: Percents{1, 100}}, []string{"canary", "100%"}, true},
		"more than exists": {steps{canary: 2000}, []string{"canary"}, true},
	} {
		var names []string
		seen := map[userdb.UserID]string{}
		for _, w := range test.options.divide(users) {
			names = append(names, w.Name)
			for _, f := range w.Users {
				if seen[f.User] != "" {
					t.Errorf("%s: %s is in %s and in %s", name, f.User, seen[f.User], w.Name)
				}
				seen[f.User] = w.Name
				if limit, found := strings.CutSuffix(w.Name, "%"); found {
					if percent, _ := selection.ParsePercent(limit); selection.Share(f.User) >= percent {
						t.Errorf("%s: %s is in %s", name, f.User, w.Name)
					}
				}
			}
		}
		if !slices.Equal(names, test.want) || (len(seen) == len(users)) != test.all {
			t.Errorf("%s: %q with %d users", name, names, len(seen))
		}
	}
}

func TestPercentList(t *testing.T) {
	var l Percents
	if err := l.Set("1, 10%,50,100"); err != nil || l.String() != "1,10,50,100" {
		t.Errorf("%v, %v", l, err)
	}
	for _, text := range []string{"", "0", "10,10", "10,1", "101", "-1", "a", "1,,2", "NaN"} {
		if err := new(Percents).Set(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestGate(t *testing.T) {
	quarantined := map[result.Outcome]int{result.OutcomeQuarantined: 90}
	for name, test := range map[string]struct {
		failures float64
		line     WaveLine
		passes   bool
	}{
		"nobody failed":         {0, WaveLine{Users: 100}, true},
		"nobody at all":         {0, WaveLine{}, true},
		"as many as may":        {2, WaveLine{Users: 100, Failed: 2}, true},
		"one more":              {2, WaveLine{Users: 100, Failed: 3}, false},
		"zero tolerance":        {0, WaveLine{Users: 100, Failed: 1}, false},
		"of those begun":        {2, WaveLine{Users: 100, NotBegun: 90, Failed: 1}, false},
		"quarantined are known": {2, WaveLine{Users: 100, Outcomes: quarantined, Failed: 1}, false},
		"unverified is failed":  {2, WaveLine{Users: 100, Failed: 2, Unverified: 1}, false},
		"a difference":          {100, WaveLine{Users: 100, Different: 1}, false},
		"everything may fail":   {100, WaveLine{Users: 1, Failed: 1}, true},
	} {
		if reason := (&Gate{Failures: test.failures}).judge(&test.line); (reason == "") != test.passes {
			t.Errorf("%s: %q", name, reason)
		}
	}
}

// steps are how a run goes, and what its gate allows.
type steps struct {
	canary      int
	canaryPause units.AgeFlag
	percents    Percents
	failures    float64
	rollback    bool
}

func (o steps) divide(users []inspect.Found) []Wave { return Steps{o.canary, o.percents}.Divide(users) }

// told is a rollout over a fleet in memory.
type told struct {
	moved, back []userdb.UserID
	waves       []WaveLine
	summary     Summary
	code        int
}

// tell runs waves over users; bad fail to move, wrong are moved and differ.
func tell(t *testing.T, o steps, users []inspect.Found, bad, wrong []userdb.UserID) told {
	t.Helper()
	return tellLooking(t, o, users, bad, func(u userdb.UserID) result.Outcome {
		if slices.Contains(wrong, u) {
			return result.OutcomeDifferent
		}
		return result.OutcomeEqual
	})
}

func tellLooking(
	t *testing.T,
	o steps,
	users []inspect.Found,
	bad []userdb.UserID,
	look func(userdb.UserID) result.Outcome,
) told {
	t.Helper()
	return tellPrepared(t, o, users, bad, look, nil)
}

// tellPrepared has something to do before each wave. Users named unflagged-... are moved, and then fail with
// something that could not be written.
func tellPrepared(
	t *testing.T,
	o steps,
	users []inspect.Found,
	bad []userdb.UserID,
	look func(userdb.UserID) result.Outcome,
	before func(*told, []inspect.Found) error,
) told {
	t.Helper()
	var stdout, stderr bytes.Buffer
	out := terminal.New(terminal.Options{Out: &stdout, Err: &stderr, Format: terminal.JSON})
	refused := (&migrate.Engine{}).Migrate(t.Context(), "a/b") // any failure will do
	var story told
	job := Job{Action: result.ActionMigrate, Do: func(_ context.Context, u userdb.UserID) result.Result {
		if slices.Contains(bad, u) {
			refused.User = u
			return refused
		}
		if strings.HasPrefix(string(u), "there-") {
			return result.Result{User: u, Action: result.ActionMigrate, Outcome: result.OutcomeAlready}
		}
		story.moved = append(story.moved, u)
		if strings.HasPrefix(string(u), "unflagged-") {
			failed := refused
			failed.User, failed.Outcome = u, result.OutcomeMigrated
			return failed
		}
		return result.Result{User: u, Action: result.ActionMigrate, Outcome: result.OutcomeMigrated}
	}}
	if before != nil {
		job.Before = func(_ context.Context, users []inspect.Found) error { return before(&story, users) }
	}
	gate := &Gate{Failures: o.failures, Rollback: o.rollback, Pause: o.canaryPause,
		Verify: func(_ context.Context, u userdb.UserID) result.Result {
			return result.Result{User: u, Action: result.ActionVerify, Outcome: look(u)}
		},
		Undo: func(_ context.Context, u userdb.UserID) result.Result {
			story.back = append(story.back, u)
			return result.Result{User: u, Action: result.ActionRollback, Outcome: result.OutcomeRestored}
		}}
	r := &Runner{Engine: &migrate.Engine{Concurrency: 1}, Out: out, Gate: gate}
	summary, err := r.Run(t.Context(), o.divide(users), job)
	if err != nil {
		t.Fatal(err)
	}
	story.code = summary.Exit
	for line := range strings.Lines(stdout.String()) {
		var l struct {
			Wave    *WaveLine
			Summary *Summary
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if l.Wave != nil {
			story.waves = append(story.waves, *l.Wave)
		}
		if l.Summary != nil {
			story.summary = *l.Summary
		}
	}
	return story
}

func idsOf(w Wave) []userdb.UserID { ids, _ := IDsAndSizes(w.Users); return ids }

func TestRolloutThatPasses(t *testing.T) {
	users := fleet(200)
	s := tell(t, steps{canary: 2, percents: Percents{10, 100}}, users, nil, nil)
	if len(s.moved) != 200 || len(s.back) != 0 || len(s.waves) != 3 || s.code != ExitDone {
		t.Fatalf("%d moved, %d back, %d waves, exit %d", len(s.moved), len(s.back), len(s.waves), s.code)
	}
	for _, w := range s.waves {
		if w.Gate != GatePassed || w.Verified != w.Users || w.Outcomes[result.OutcomeMigrated] != w.Users {
			t.Errorf("%+v", w)
		}
	}
	if c := s.waves[0]; c.Name != "canary" || c.Users != 2 || c.Of != 3 {
		t.Errorf("%+v", c)
	}
}

// Too many failures, or one difference, stop the run, and exactly the users that this wave moved come back.
func TestRolloutThatIsStopped(t *testing.T) {
	users := fleet(200)
	o := steps{percents: Percents{10, 50, 100}, failures: 2, rollback: true}
	waves := o.divide(users)
	second := idsOf(waves[1])
	for name, test := range map[string]struct {
		bad, wrong []userdb.UserID
		rollback   bool
		code       int
	}{
		"failures":                 {bad: second[:2], rollback: true, code: ExitFailed},
		"failures, nobody back":    {bad: second[:2], code: ExitFailed},
		"a difference":             {wrong: second[3:4], rollback: true, code: ExitDifferent},
		"a difference and failure": {bad: second[:1], wrong: second[3:4], rollback: true, code: ExitDifferent},
	} {
		t.Run(name, func(t *testing.T) {
			o.rollback = test.rollback
			s := tell(t, o, users, test.bad, test.wrong)
			if len(s.waves) != 2 || s.waves[0].Gate != GatePassed || s.waves[1].Gate != GateStopped ||
				s.waves[1].Reason == "" ||
				s.code != test.code {
				t.Fatalf("%+v, exit %d", s.waves, s.code)
			}
			movedNow := s.moved[len(waves[0].Users):]
			want := movedNow
			if !test.rollback {
				want = nil
			}
			// Side by side, users end in any order.
			if !slices.Equal(slices.Sorted(slices.Values(s.back)), slices.Sorted(slices.Values(want))) ||
				s.waves[1].RolledBack != len(want) {
				t.Errorf("%d back, %d moved by the wave", len(s.back), len(movedNow))
			}
			if s.summary.NotBegun != len(waves[2].Users)+s.waves[1].NotBegun || s.summary.Users != 200 {
				t.Errorf("summary %+v", s.summary)
			}
		})
	}
}

// A wave in which everything fails is not gone through to its end.
func TestRolloutStopsEarlyWhenAllIsLost(t *testing.T) {
	users := fleet(1000)
	o := steps{percents: Percents{100}, failures: 2}
	s := tell(t, o, users, idsOf(o.divide(users)[0]), nil)
	if w := s.waves[0]; w.Failed < 21 || w.NotBegun == 0 || w.NotBegun != 1000-w.Failed ||
		s.code != ExitFailed {
		t.Errorf("%+v, exit %d", w, s.code)
	}
}

// A canary that goes wrong in the pause is seen, and nobody else is begun.
func TestRolloutLooksAgainAfterThePause(t *testing.T) {
	users := fleet(50)
	o := steps{canary: 2, rollback: true}
	if err := o.canaryPause.Set("1ms"); err != nil {
		t.Fatal(err)
	}
	looked := 0
	s := tellLooking(t, o, users, nil, func(userdb.UserID) result.Outcome {
		if looked++; looked > 2 {
			return result.OutcomeDifferent
		}
		return result.OutcomeWritten
	})
	if len(s.moved) != 2 || len(s.back) != 2 || s.code != ExitDifferent || len(s.waves) != 2 ||
		s.waves[1].Gate != GateStopped {
		t.Errorf("%d moved, %d back, exit %d, %+v", len(s.moved), len(s.back), s.code, s.waves)
	}
}

// Who was there before is looked at as part of the canary, but never taken back.
func TestRolloutTakesBackOnlyWhomItMoved(t *testing.T) {
	users := []inspect.Found{{User: "new-1"}, {User: "there-1"}, {User: "new-2"}, {User: "there-2"}}
	o := steps{canary: 4, rollback: true}
	s := tell(t, o, users, nil, []userdb.UserID{"there-1"})
	if !slices.Equal(s.back, []userdb.UserID{"new-1", "new-2"}) || s.waves[0].Verified != 3 ||
		s.waves[0].Different != 1 ||
		s.code != ExitDifferent {
		t.Errorf("%v back, %+v, exit %d", s.back, s.waves, s.code)
	}
}

// A user who is moved is looked at and taken back, even if the flag or receipt could not be written. That
// counts as a failure, and leaves the user moved.
func TestRolloutTakesBackWhomItMovedWithoutFlag(t *testing.T) {
	users := []inspect.Found{{User: "new-1"}, {User: "unflagged-1"}, {User: "new-2"}}
	s := tell(t, steps{canary: 3, rollback: true, failures: 50}, users, nil, []userdb.UserID{"unflagged-1"})
	slices.Sort(s.back)
	if !slices.Equal(s.back, []userdb.UserID{"new-1", "new-2", "unflagged-1"}) || s.waves[0].Failed != 1 ||
		s.waves[0].Different != 1 ||
		s.code != ExitDifferent {
		t.Errorf("%v back, %+v, exit %d", s.back, s.waves, s.code)
	}
}

// What has to come before a fence comes before each wave, for its users only.
func TestRolloutPreparesEachWave(t *testing.T) {
	users := fleet(100)
	o := steps{canary: 2, percents: Percents{50, 100}}
	waves, prepared := o.divide(users), 0
	look := func(userdb.UserID) result.Outcome { return result.OutcomeEqual }
	s := tellPrepared(t, o, users, nil, look, func(story *told, these []inspect.Found) error {
		ids, _ := IDsAndSizes(these)
		if !slices.Equal(ids, idsOf(waves[prepared])) ||
			slices.ContainsFunc(ids, func(u userdb.UserID) bool { return slices.Contains(story.moved, u) }) {
			t.Errorf("before wave %d: %v, and %d are moved", prepared, ids, len(story.moved))
		}
		prepared++
		return nil
	})
	if prepared != 3 || len(s.moved) != 100 || s.code != ExitDone {
		t.Errorf("%d waves prepared, %d moved, exit %d", prepared, len(s.moved), s.code)
	}
}

// A wave that could not be prepared is not begun, not judged, and the last one.
func TestRolloutThatCannotPrepare(t *testing.T) {
	users := fleet(100)
	o := steps{canary: 2}
	if err := o.canaryPause.Set("1ms"); err != nil {
		t.Fatal(err)
	}
	look := func(userdb.UserID) result.Outcome { return result.OutcomeEqual }
	s := tellPrepared(
		t,
		o,
		users,
		nil,
		look,
		func(*told, []inspect.Found) error { return errors.New("KV does not answer") },
	)
	if len(s.moved) != 0 || len(s.waves) != 1 || s.waves[0].Gate != GateSkipped ||
		s.summary.NotBegun != 100 ||
		s.code != ExitFailed {
		t.Errorf("%d moved, %+v, exit %d", len(s.moved), s.waves, s.code)
	}
}

// A backup goes on where another stopped, or beside another: its gate has read the copies that were there.
func TestCopiesThatWereThereAreRead(t *testing.T) {
	var looked []userdb.UserID
	out := terminal.New(terminal.Options{Out: io.Discard, Err: io.Discard, Format: terminal.JSON})
	r := &Runner{Engine: &migrate.Engine{Concurrency: 1}, Out: out, Gate: &Gate{
		Verify: func(_ context.Context, u userdb.UserID) result.Result {
			looked = append(looked, u)
			return result.Result{User: u, Action: result.ActionVerify, Outcome: result.OutcomeDifferent}
		}}}
	job := Job{Action: result.ActionBackup, Do: func(_ context.Context, u userdb.UserID) result.Result {
		return result.Result{User: u, Action: result.ActionBackup, Outcome: result.OutcomeAlready}
	}}
	summary, err := r.Run(t.Context(), steps{percents: Percents{100}}.divide(fleet(3)), job)
	if err != nil || len(looked) != 3 || summary.Exit == ExitDone {
		t.Errorf("%d copies were read, exit %d, %v", len(looked), summary.Exit, err)
	}
}
