package migrate

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestRouteGoesByTheFile: whoever is served from the file is routed, though KV's list still shows a flag that was just deleted; and the flag of a
// user who is moved keeps what it says.
func TestRouteGoesByTheFile(t *testing.T) {
	m := newMemory()
	e := m.engine(t)
	e.Run = "now"
	m.flagged["moved"] = userdb.FlagMeta{Version: userdb.FlagMetaVersion, Run: "then", Lineage: 5}
	routed, err := e.Route(t.Context(), []Found{{User: "plain", Place: PlaceR2}, {User: "listed", Place: PlaceR2, Flagged: true},
		{User: "moved", Place: PlaceStore}, {User: "gone", Place: PlaceMissing, Flagged: true}, {User: "a b", Place: PlaceUnnameable}})
	if err != nil || routed != 2 || len(m.flagged) != 3 || m.flagged["listed"].Run != "now" || m.flagged["plain"].Run != "now" {
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
		result Result
		gone   bool
		drops  bool
	}{
		"moved":                       {result: Result{Outcome: OutcomeMigrated}},
		"failed":                      {result: Result{Outcome: OutcomeFailed, err: cause}, drops: true},
		"left open":                   {result: Result{Outcome: OutcomeFailed, err: cause, Open: true}},
		"in quarantine":               {result: Skipped(Found{User: "ann"}, userdb.Blocked), drops: true},
		"failed, and nobody can tell": {result: Result{Outcome: OutcomeFailed, err: cause}, gone: true},
	} {
		m := newMemory()
		m.put("ann/database.sqlite", header(), time.Now())
		e := m.engine(t)
		if c.gone {
			e.Stores = gone{}
		}
		c.result.User = "ann"
		r := e.Unroute(t.Context(), c.result)
		if r.flag.Delete != c.drops || c.gone != strings.Contains(r.Reason, "no answer") {
			t.Errorf("%s: %+v, %q", name, r.flag, r.Reason)
		}
	}
}

// TestSettle looks at the file of whoever is moved, whatever could not be written about him, and of nobody else. Here no file carries a fence.
func TestSettle(t *testing.T) {
	cause := &userdb.Error{Op: "write the flag", Kind: userdb.Unreachable, Err: errors.New("no")}
	for name, c := range map[string]struct {
		result Result
		want   Outcome
	}{
		"moved":                   {Result{Outcome: OutcomeMigrated}, OutcomeOverwritten},
		"moved, without his flag": {Result{Outcome: OutcomeMigrated, err: cause}, OutcomeOverwritten},
		"moved before":            {Result{Outcome: OutcomeAlready}, OutcomeOverwritten},
		"taken back up":           {Result{Outcome: OutcomeResumed}, OutcomeOverwritten},
		"found overwritten":       {Result{Outcome: OutcomeFailed, err: overwritten("ann", cause)}, OutcomeOverwritten},
		"failed":                  {Result{Outcome: OutcomeFailed, err: cause}, OutcomeFailed},
		"in quarantine":           {Skipped(Found{User: "ann"}, userdb.Blocked), OutcomeQuarantined},
	} {
		m := newMemory()
		m.put("ann/database.sqlite", header(), time.Now())
		c.result.User = "ann"
		r := m.engine(t).Settle(Procedure{Writers: WritersUnconditional})(t.Context(), c.result)
		if r.Outcome != c.want {
			t.Errorf("%s: %s, %v", name, r.Outcome, r.err)
		}
	}
}

// TestSettleCutShort: a look that came early proves nothing about later saves, so the account fails; the user is moved all the same.
func TestSettleCutShort(t *testing.T) {
	m := newMemory()
	m.put("ann/database.sqlite", header(), time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	settle := m.engine(t).Settle(Procedure{Writers: WritersUnconditional, LongestRequest: time.Hour})
	r := settle(ctx, Result{User: "ann", Outcome: OutcomeMigrated, Claim: 5}) // claimed by somebody else since: nothing to look at
	if r.Outcome != OutcomeMigrated || userdb.KindOf(r.err) != userdb.Interrupted || !strings.Contains(r.err.Error(), "run the command again") {
		t.Errorf("%s, %v", r.Outcome, r.err)
	}
	if r := settle(ctx, Result{User: "ann", Outcome: OutcomeMigrated}); r.Outcome != OutcomeOverwritten || userdb.KindOf(r.err) != userdb.Conflict {
		t.Errorf("overwritten already: %s, %v", r.Outcome, r.err)
	}
}
