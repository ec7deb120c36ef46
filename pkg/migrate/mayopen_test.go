package migrate

import (
	"context"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// costly finds every file too costly, and counts.
type costly struct {
	userfile.Checks
	asked, ahead int
}

func (c *costly) PreflightAhead(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error) {
	c.ahead++
	return c.Preflight(ctx, path, limits)
}

func (c *costly) Preflight(context.Context, string, wire.Limits) (sqlitefile.Report, error) {
	c.asked++
	return *sqlitefile.NewReport([]sqlitefile.Finding{{Level: sqlitefile.Blocked, Reason: sqlitefile.ReasonTooCostly, Detail: "it takes long"}}), nil
}

type activeStore struct {
	Stores
	receipt wire.Receipt
}

func (s activeStore) Status(context.Context, userdb.UserID) (wire.Status, error) {
	return wire.Status{Phase: userdb.Active, Gen: 5, Lin: 5, Receipt: &s.receipt}, nil
}

// TestVerifyChecksAKeptFileThatChanged: bytes that no migrate has checked are opened where they can be
// stopped.
func TestVerifyChecksAKeptFileThatChanged(t *testing.T) {
	fenced, err := userdb.WithFence(header(), 5, 5, make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	m.put("alice/database.sqlite", fenced, time.Now())
	e := m.engine(t)
	checks := &costly{}
	e.Checks, e.Stores = checks, activeStore{receipt: wire.Receipt{SourceSHA: "that of other bytes"}}
	if r := e.Verify(t.Context(), "alice"); userdb.KindOf(r.Err()) != userdb.TooCostly || checks.asked != 1 {
		t.Errorf("%s, %v, asked %d times", r.Outcome, r.Err(), checks.asked)
	}
}

// TestMergeChecksTheHotFile: the application has written it since the split.
func TestMergeChecksTheHotFile(t *testing.T) {
	e := newMemory().engine(t)
	checks := &costly{}
	e.Checks = checks
	r := &retreat{Engine: e, user: "alice"}
	if _, _, err := r.unite(t.Context(), &userfile.Copy{Path: "hot"}, &userfile.Copy{Path: "cold"}, nil); userdb.KindOf(
		err,
	) != userdb.TooCostly ||
		checks.asked != 1 || checks.ahead != 1 {
		t.Errorf("%v, asked %d times, ahead of others %d times", err, checks.asked, checks.ahead)
	}
}

// TestAFencedFileIsCheckedAhead: its user's writes wait for the check, and those of others do not. So do the
// writes of a user while a fence of the file is announced.
func TestAFencedFileIsCheckedAhead(t *testing.T) {
	fenced, err := userdb.WithFence(header(), 5, 5, make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		content   []byte
		announced bool
		ahead     int
	}{{header(), false, 0}, {header(), true, 1}, {fenced, false, 1}} {
		files := newMemory()
		files.put("alice/database.sqlite", c.content, time.Now())
		e := files.engine(t)
		m := &migration{Engine: e, user: "alice", fences: e.announcer("alice"), result: &result.Result{}}
		m.fences.on = c.announced
		checks := &costly{}
		m.Checks = checks
		if err := m.admit(t.Context()); userdb.KindOf(err) != userdb.TooCostly || checks.ahead != c.ahead {
			t.Errorf("%v, ahead of others %d times, want %d", err, checks.ahead, c.ahead)
		}
	}
}
