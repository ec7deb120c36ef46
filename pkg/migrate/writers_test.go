package migrate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/quarantine"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// TestRouteGoesByTheFile: a user who is served from the file is routed, though KV's list still shows a flag
// that was just deleted. The flag of a user who is moved keeps what it says.
func TestRouteGoesByTheFile(t *testing.T) {
	m := newMemory()
	e := m.engine(t)
	e.Run = "now"
	m.flagged["moved"] = userdb.FlagMeta{Version: userdb.FlagMetaVersion, Run: "then", Lineage: 5}
	routed, err := e.Route(
		t.Context(),
		[]inspect.Found{
			{User: "plain", Place: inspect.PlaceFile},
			{User: "listed", Place: inspect.PlaceFile, Flagged: true},
			{
				User:  "moved",
				Place: inspect.PlaceObject,
			},
			{User: "gone", Place: inspect.PlaceMissing, Flagged: true},
			{User: "a b", Place: inspect.PlaceUnnameable},
		},
	)
	if err != nil || routed != 2 || len(m.flagged) != 3 || m.flagged["listed"].Run != "now" ||
		m.flagged["plain"].Run != "now" {
		t.Errorf("%d routed, %v: %v", routed, err, m.flagged)
	}
	if m.flagged["moved"].Lineage != 5 || m.flagged["moved"].Run != "then" {
		t.Errorf("the flag of the moved user is %+v", m.flagged["moved"])
	}
}

// TestUnroute takes the flag from those who stay on the file, and says so where nobody can tell who serves.
func TestUnroute(t *testing.T) {
	cause := &userdb.Error{Op: "migrate", Kind: userdb.Blocked, Err: errors.New("no")}
	for name, c := range map[string]struct {
		result result.Result
		gone   bool
		drops  bool
	}{
		"moved":                       {result: result.Result{Outcome: result.OutcomeMigrated}},
		"failed":                      {result: result.Result{Outcome: result.OutcomeFailed, Failure: cause}, drops: true},
		"left open":                   {result: result.Result{Outcome: result.OutcomeFailed, Failure: cause, Open: true}},
		"in quarantine":               {result: quarantine.Skipped(inspect.Found{User: "ann"}, userdb.Blocked), drops: true},
		"failed, and nobody can tell": {result: result.Result{Outcome: result.OutcomeFailed, Failure: cause}, gone: true},
	} {
		m := newMemory()
		m.put("ann/database.sqlite", header(), time.Now())
		e := m.engine(t)
		if c.gone {
			e.Stores = gone{}
		}
		c.result.User = "ann"
		r := e.Unroute(t.Context(), c.result)
		if r.Flag.Delete != c.drops || c.gone != strings.Contains(r.Reason, "no answer") {
			t.Errorf("%s: %+v, %q", name, r.Flag, r.Reason)
		}
	}
}

// TestSettle looks at the file of every moved user, whatever could not be written about the user, and of
// nobody else. Here no file carries a fence.
func TestSettle(t *testing.T) {
	cause := &userdb.Error{Op: "write the flag", Kind: userdb.Unreachable, Err: errors.New("no")}
	for name, c := range map[string]struct {
		result result.Result
		want   result.Outcome
	}{
		"moved":                   {result.Result{Outcome: result.OutcomeMigrated}, result.OutcomeOverwritten},
		"moved, without the flag": {result.Result{Outcome: result.OutcomeMigrated, Failure: cause}, result.OutcomeOverwritten},
		"moved before":            {result.Result{Outcome: result.OutcomeAlready}, result.OutcomeOverwritten},
		"taken back up":           {result.Result{Outcome: result.OutcomeResumed}, result.OutcomeOverwritten},
		"found overwritten":       {result.Result{Outcome: result.OutcomeFailed, Failure: userfile.Overwritten("ann", cause)}, result.OutcomeOverwritten},
		"failed":                  {result.Result{Outcome: result.OutcomeFailed, Failure: cause}, result.OutcomeFailed},
		"in quarantine":           {quarantine.Skipped(inspect.Found{User: "ann"}, userdb.Blocked), result.OutcomeQuarantined},
	} {
		m := newMemory()
		m.put("ann/database.sqlite", header(), time.Now())
		c.result.User = "ann"
		r := m.engine(t).Settle(Procedure{Writers: WritersUnconditional})(t.Context(), c.result)
		if r.Outcome != c.want {
			t.Errorf("%s: %s, %v", name, r.Outcome, r.Failure)
		}
	}
}

// TestSettleCutShort: a look that came early proves nothing about later saves, so the account fails; the user
// is moved all the same.
func TestSettleCutShort(t *testing.T) {
	m := newMemory()
	m.put("ann/database.sqlite", header(), time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	settle := m.engine(t).Settle(Procedure{Writers: WritersUnconditional, LongestRequest: time.Hour})
	r := settle(
		ctx,
		result.Result{User: "ann", Outcome: result.OutcomeMigrated, Claim: 5},
	) // claimed by somebody else since: nothing to look at
	if r.Outcome != result.OutcomeMigrated || userdb.KindOf(r.Failure) != userdb.Interrupted ||
		!strings.Contains(r.Failure.Error(), "run the command again") {
		t.Errorf("%s, %v", r.Outcome, r.Failure)
	}
	if r := settle(ctx, result.Result{User: "ann", Outcome: result.OutcomeMigrated}); r.Outcome != result.OutcomeOverwritten ||
		userdb.KindOf(r.Failure) != userdb.Conflict {
		t.Errorf("overwritten already: %s, %v", r.Outcome, r.Failure)
	}
}
