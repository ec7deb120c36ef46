package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func fleet(n int) []migrate.Found {
	users := make([]migrate.Found, n)
	for i := range users {
		users[i] = migrate.Found{User: userdb.UserID(fmt.Sprint("user-", i)), Place: migrate.PlaceR2}
	}
	return users
}

func TestWavesDivideTheFleet(t *testing.T) {
	users := fleet(1000)
	for name, test := range map[string]struct {
		options waveOptions
		want    []string
		all     bool
	}{
		"canary":           {waveOptions{canary: 3}, []string{"canary", "the rest"}, true},
		"waves":            {waveOptions{percents: percentList{1, 10, 50, 100}}, []string{"1%", "10%", "50%", "100%"}, true},
		"both":             {waveOptions{canary: 3, percents: percentList{10, 100}}, []string{"canary", "10%", "100%"}, true},
		"not to the end":   {waveOptions{percents: percentList{1, 10}}, []string{"1%", "10%"}, false},
		"canary is all":    {waveOptions{canary: 1000}, []string{"canary"}, true},
		"canary of 1%":     {waveOptions{canary: 500, percents: percentList{1, 100}}, []string{"canary", "100%"}, true},
		"more than exists": {waveOptions{canary: 2000}, []string{"canary"}, true},
	} {
		var names []string
		seen := map[userdb.UserID]string{}
		for _, w := range test.options.divide(users) {
			names = append(names, w.name)
			for _, f := range w.users {
				if seen[f.User] != "" {
					t.Errorf("%s: %s is in %s and in %s", name, f.User, seen[f.User], w.name)
				}
				seen[f.User] = w.name
				if limit, found := strings.CutSuffix(w.name, "%"); found {
					if percent, _ := selection.ParsePercent(limit); selection.Share(f.User) >= percent {
						t.Errorf("%s: %s is in %s", name, f.User, w.name)
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
	var l percentList
	if err := l.Set("1, 10%,50,100"); err != nil || l.String() != "1,10,50,100" {
		t.Errorf("%v, %v", l, err)
	}
	for _, text := range []string{"", "0", "10,10", "10,1", "101", "-1", "a", "1,,2", "NaN"} {
		if err := new(percentList).Set(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestGate(t *testing.T) {
	quarantined := map[migrate.Outcome]int{migrate.OutcomeQuarantined: 90}
	for name, test := range map[string]struct {
		failures float64
		line     waveLine
		passes   bool
	}{
		"nobody failed":         {0, waveLine{Users: 100}, true},
		"nobody at all":         {0, waveLine{}, true},
		"as many as may":        {2, waveLine{Users: 100, Failed: 2}, true},
		"one more":              {2, waveLine{Users: 100, Failed: 3}, false},
		"zero tolerance":        {0, waveLine{Users: 100, Failed: 1}, false},
		"of those begun":        {2, waveLine{Users: 100, NotBegun: 90, Failed: 1}, false},
		"quarantined are known": {2, waveLine{Users: 100, Outcomes: quarantined, Failed: 1}, false},
		"unverified is failed":  {2, waveLine{Users: 100, Failed: 2, Unverified: 1}, false},
		"a difference":          {100, waveLine{Users: 100, Different: 1}, false},
		"everything may fail":   {100, waveLine{Users: 1, Failed: 1}, true},
	} {
		if reason := (gate{selection.Percent{Of: test.failures}}).judge(&test.line); (reason == "") != test.passes {
			t.Errorf("%s: %q", name, reason)
		}
	}
}

// told is a rollout over a fleet in memory.
type told struct {
	moved, back []userdb.UserID
	waves       []waveLine
	summary     account
	code        int
}

// tell runs waves over users; bad fail to move, wrong are moved and differ.
func tell(t *testing.T, o waveOptions, users []migrate.Found, bad, wrong []userdb.UserID) told {
	t.Helper()
	return tellLooking(t, o, users, bad, func(u userdb.UserID) migrate.Outcome {
		if slices.Contains(wrong, u) {
			return migrate.OutcomeDifferent
		}
		return migrate.OutcomeEqual
	})
}

func tellLooking(t *testing.T, o waveOptions, users []migrate.Found, bad []userdb.UserID, look func(userdb.UserID) migrate.Outcome) told {
	t.Helper()
	return tellPrepared(t, o, users, bad, look, nil)
}

// tellPrepared has something to do before each wave. Users named unflagged-... are moved, and then fail with something that could not be written.
func tellPrepared(t *testing.T, o waveOptions, users []migrate.Found, bad []userdb.UserID, look func(userdb.UserID) migrate.Outcome,
	before func(*told, []migrate.Found) error) told {
	t.Helper()
	var stdout, stderr bytes.Buffer
	out := report.New(report.Options{Out: &stdout, Err: &stderr, Format: report.JSON})
	a := &app{out: out, signals: &signals{}}
	refused := (&migrate.Engine{}).Migrate(t.Context(), "a/b") // any failure will do
	var story told
	r := &fleetRun{app: a, engine: &migrate.Engine{Concurrency: 1}, action: migrate.ActionMigrate,
		do: func(_ context.Context, u userdb.UserID) migrate.Result {
			if slices.Contains(bad, u) {
				refused.User = u
				return refused
			}
			if strings.HasPrefix(string(u), "there-") {
				return migrate.Result{User: u, Action: migrate.ActionMigrate, Outcome: migrate.OutcomeAlready}
			}
			story.moved = append(story.moved, u)
			if strings.HasPrefix(string(u), "unflagged-") {
				failed := refused
				failed.User, failed.Outcome = u, migrate.OutcomeMigrated
				return failed
			}
			return migrate.Result{User: u, Action: migrate.ActionMigrate, Outcome: migrate.OutcomeMigrated}
		}}
	if before != nil {
		r.before = func(_ context.Context, users []migrate.Found) error { return before(&story, users) }
	}
	r.rollout = &rollout{waveOptions: o, waves: o.divide(users),
		check: func(u userdb.UserID) migrate.Result {
			return migrate.Result{User: u, Action: migrate.ActionVerify, Outcome: look(u)}
		},
		undo: func(u userdb.UserID) migrate.Result {
			story.back = append(story.back, u)
			return migrate.Result{User: u, Action: migrate.ActionRollback, Outcome: migrate.OutcomeRestored}
		}}
	story.code = exitCode(r.run(t.Context(), users))
	for line := range strings.Lines(stdout.String()) {
		var l struct {
			Wave    *waveLine
			Summary *account
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

func usersOf(w wave) []userdb.UserID { ids, _ := idsAndSizes(w.users); return ids }

func TestRolloutThatPasses(t *testing.T) {
	users := fleet(200)
	s := tell(t, waveOptions{canary: 2, percents: percentList{10, 100}}, users, nil, nil)
	if len(s.moved) != 200 || len(s.back) != 0 || len(s.waves) != 3 || s.code != exitDone {
		t.Fatalf("%d moved, %d back, %d waves, exit %d", len(s.moved), len(s.back), len(s.waves), s.code)
	}
	for _, w := range s.waves {
		if w.Gate != gatePassed || w.Verified != w.Users || w.Outcomes[migrate.OutcomeMigrated] != w.Users {
			t.Errorf("%+v", w)
		}
	}
	if c := s.waves[0]; c.Name != "canary" || c.Users != 2 || c.Of != 3 {
		t.Errorf("%+v", c)
	}
}

// Too many failures, or one difference, stop the run, and exactly the users whom this wave moved come back.
func TestRolloutThatIsStopped(t *testing.T) {
	users := fleet(200)
	o := waveOptions{percents: percentList{10, 50, 100}, gate: gate{selection.Percent{Of: 2}}, rollback: true}
	waves := o.divide(users)
	second := usersOf(waves[1])
	for name, test := range map[string]struct {
		bad, wrong []userdb.UserID
		rollback   bool
		code       int
	}{
		"failures":                 {bad: second[:2], rollback: true, code: exitFailed},
		"failures, nobody back":    {bad: second[:2], code: exitFailed},
		"a difference":             {wrong: second[3:4], rollback: true, code: exitDifferent},
		"a difference and failure": {bad: second[:1], wrong: second[3:4], rollback: true, code: exitDifferent},
	} {
		t.Run(name, func(t *testing.T) {
			o.rollback = test.rollback
			s := tell(t, o, users, test.bad, test.wrong)
			if len(s.waves) != 2 || s.waves[0].Gate != gatePassed || s.waves[1].Gate != gateStopped || s.waves[1].Reason == "" || s.code != test.code {
				t.Fatalf("%+v, exit %d", s.waves, s.code)
			}
			movedNow := s.moved[len(waves[0].users):]
			want := movedNow
			if !test.rollback {
				want = nil
			}
			// Side by side, users end in any order.
			if !slices.Equal(slices.Sorted(slices.Values(s.back)), slices.Sorted(slices.Values(want))) || s.waves[1].RolledBack != len(want) {
				t.Errorf("%d back, %d moved by the wave", len(s.back), len(movedNow))
			}
			if s.summary.NotBegun != len(waves[2].users)+s.waves[1].NotBegun || s.summary.Users != 200 {
				t.Errorf("summary %+v", s.summary)
			}
		})
	}
}

// A wave in which everything fails is not gone through to its end.
func TestRolloutStopsEarlyWhenAllIsLost(t *testing.T) {
	users := fleet(1000)
	o := waveOptions{percents: percentList{100}, gate: gate{selection.Percent{Of: 2}}}
	s := tell(t, o, users, usersOf(o.divide(users)[0]), nil)
	if w := s.waves[0]; w.Failed < 21 || w.NotBegun == 0 || w.NotBegun != 1000-w.Failed || s.code != exitFailed {
		t.Errorf("%+v, exit %d", w, s.code)
	}
}

// A canary that goes wrong in the pause is seen, and nobody else is begun.
func TestRolloutLooksAgainAfterThePause(t *testing.T) {
	users := fleet(50)
	o := waveOptions{canary: 2, rollback: true}
	if err := o.canaryPause.Set("1ms"); err != nil {
		t.Fatal(err)
	}
	looked := 0
	s := tellLooking(t, o, users, nil, func(userdb.UserID) migrate.Outcome {
		if looked++; looked > 2 {
			return migrate.OutcomeDifferent
		}
		return migrate.OutcomeWritten
	})
	if len(s.moved) != 2 || len(s.back) != 2 || s.code != exitDifferent || len(s.waves) != 2 || s.waves[1].Gate != gateStopped {
		t.Errorf("%d moved, %d back, exit %d, %+v", len(s.moved), len(s.back), s.code, s.waves)
	}
}

// Who was there before is looked at as part of the canary, but never taken back.
func TestRolloutTakesBackOnlyWhomItMoved(t *testing.T) {
	users := []migrate.Found{{User: "new-1"}, {User: "there-1"}, {User: "new-2"}, {User: "there-2"}}
	o := waveOptions{canary: 4, rollback: true}
	s := tell(t, o, users, nil, []userdb.UserID{"there-1"})
	if !slices.Equal(s.back, []userdb.UserID{"new-1", "new-2"}) || s.waves[0].Verified != 3 || s.waves[0].Different != 1 || s.code != exitDifferent {
		t.Errorf("%v back, %+v, exit %d", s.back, s.waves, s.code)
	}
}

// Who is moved is looked at and taken back, even if his flag or receipt could not be written: that counts as a failure, and leaves him moved.
func TestRolloutTakesBackWhomItMovedWithoutFlag(t *testing.T) {
	users := []migrate.Found{{User: "new-1"}, {User: "unflagged-1"}, {User: "new-2"}}
	s := tell(t, waveOptions{canary: 3, rollback: true, gate: gate{selection.Percent{Of: 50}}}, users, nil, []userdb.UserID{"unflagged-1"})
	slices.Sort(s.back)
	if !slices.Equal(s.back, []userdb.UserID{"new-1", "new-2", "unflagged-1"}) || s.waves[0].Failed != 1 || s.waves[0].Different != 1 || s.code != exitDifferent {
		t.Errorf("%v back, %+v, exit %d", s.back, s.waves, s.code)
	}
}

// What has to come before a fence comes before each wave, for its users only.
func TestRolloutPreparesEachWave(t *testing.T) {
	users := fleet(100)
	o := waveOptions{canary: 2, percents: percentList{50, 100}}
	waves, prepared := o.divide(users), 0
	look := func(userdb.UserID) migrate.Outcome { return migrate.OutcomeEqual }
	s := tellPrepared(t, o, users, nil, look, func(story *told, these []migrate.Found) error {
		ids, _ := idsAndSizes(these)
		if !slices.Equal(ids, usersOf(waves[prepared])) || slices.ContainsFunc(ids, func(u userdb.UserID) bool { return slices.Contains(story.moved, u) }) {
			t.Errorf("before wave %d: %v, and %d are moved", prepared, ids, len(story.moved))
		}
		prepared++
		return nil
	})
	if prepared != 3 || len(s.moved) != 100 || s.code != exitDone {
		t.Errorf("%d waves prepared, %d moved, exit %d", prepared, len(s.moved), s.code)
	}
}

// A wave that could not be prepared is not begun, not judged, and the last one.
func TestRolloutThatCannotPrepare(t *testing.T) {
	users := fleet(100)
	o := waveOptions{canary: 2}
	if err := o.canaryPause.Set("1ms"); err != nil {
		t.Fatal(err)
	}
	look := func(userdb.UserID) migrate.Outcome { return migrate.OutcomeEqual }
	s := tellPrepared(t, o, users, nil, look, func(*told, []migrate.Found) error { return errors.New("KV does not answer") })
	if len(s.moved) != 0 || len(s.waves) != 1 || s.waves[0].Gate != gateSkipped || s.summary.NotBegun != 100 || s.code != exitFailed {
		t.Errorf("%d moved, %+v, exit %d", len(s.moved), s.waves, s.code)
	}
}
