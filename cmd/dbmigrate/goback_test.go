package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestToPercentIsTheOppositeOfPercent divides the same users as migrate --percent does, into those who stay and those who go.
func TestToPercentIsTheOppositeOfPercent(t *testing.T) {
	var all []migrate.Found
	for i := range 1000 {
		all = append(all, migrate.Found{User: userdb.UserID(fmt.Sprint("user-", i))})
	}
	for _, percent := range []float64{0, 10, 37.5, 99.9, 100} {
		wave := selection{percent: percent}
		back := (&history{toPercent: percent}).goingBack(slices.Clone(all))
		goes := map[userdb.UserID]bool{}
		for _, f := range back {
			goes[f.User] = true
		}
		for _, f := range all {
			if goes[f.User] == wave.takes(f) {
				t.Fatalf("at %v percent %s is on both sides, or on none", percent, f.User)
			}
		}
	}
}

func TestHistoryBegins(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	hour := ageValue{time.Hour, "1h"}
	for _, c := range []struct {
		h    history
		want string
	}{
		{history{run: "20261126T031500Z-9f3c21aa"}, "2026-11-26T02:15:00Z"},
		{history{since: hour}, "2026-11-26T10:00:00Z"},
		{history{since: hour, run: "20261126T031500Z-9f3c21aa"}, "2026-11-26T10:00:00Z"},
		{history{run: "by-hand"}, "0001-01-01T00:00:00Z"}, // it says no time: every receipt is looked at
	} {
		if got := c.h.began(now).Format(time.RFC3339); got != c.want {
			t.Errorf("run %q since %q: %s, want %s", c.h.run, c.h.since.typed, got, c.want)
		}
	}
}

// TestMaxDelete lets the longest migrated go first, and keeps the rest with a reason.
func TestMaxDelete(t *testing.T) {
	plan := migrate.GCPlan{Free: []migrate.GCItem{{User: "a", Bytes: 10, MigratedAt: 3}, {User: "b", Bytes: 20, MigratedAt: 1}, {User: "c", Bytes: 30, MigratedAt: 2}}}
	for typed, want := range map[string]string{"": "[a b c]", "0": "[]", "1": "[b]", "2": "[b c]", "9": "[a b c]", "30B": "[a b]", "50B": "[b c]", "1MB": "[a b c]"} {
		var limit limitValue
		if typed != "" {
			if err := limit.Set(typed); err != nil {
				t.Fatal(err)
			}
		}
		capped := limit.cap(plan)
		users := []userdb.UserID{}
		for _, item := range capped.Free {
			users = append(users, item.User)
		}
		if got := fmt.Sprint(users); got != want || len(capped.Free)+len(capped.Keep) != len(plan.Free) {
			t.Errorf("--max-delete %q frees %s and keeps %d, want %s", typed, got, len(capped.Keep), want)
		}
	}
	for _, typed := range []string{"-1", "many", "1K"} {
		if err := new(limitValue).Set(typed); err == nil {
			t.Errorf("--max-delete %s is accepted", typed)
		}
	}
}

// TestForwardTakesOnlyWhoWasMoved: a rollback touches users who were never moved, too, and undoing it must not move them.
func TestForwardTakesOnlyWhoWasMoved(t *testing.T) {
	command := (&rollbackOptions{}).forward(nil)
	for outcome, want := range map[migrate.Outcome]bool{migrate.OutcomeRestored: true, migrate.OutcomeExported: true, migrate.OutcomeDiscarded: true,
		migrate.OutcomeLifted: false, migrate.OutcomeNothing: false, migrate.OutcomeToBeSealed: false, migrate.OutcomeFailed: false} {
		if got := strings.Contains(command, `.outcome=="`+string(outcome)+`"`); got != want {
			t.Errorf("%s: %t in %s", outcome, got, command)
		}
	}
	if strings.Contains(command, "!=") {
		t.Errorf("it selects everybody but some: %s", command)
	}
}

// TestRollbackByTimeKnowsItsShard: the budget of API calls is divided among the shards, whatever chooses the users.
func TestRollbackByTimeKnowsItsShard(t *testing.T) {
	var stdout, stderr bytes.Buffer
	a := &app{getenv: func(string) string { return "" }, out: report.New(report.Options{Out: &stdout, Err: &stderr})}
	cmd := newRollback(a)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs([]string{"--since", "1h", "--shard", "3/16"})
	if err := cmd.ExecuteContext(t.Context()); err == nil || a.shards != 16 {
		t.Errorf("%d shards, %v", a.shards, err)
	}
}
