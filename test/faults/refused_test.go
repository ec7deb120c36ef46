package faults

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// refusals are answers to a PUT that no repetition changes.
var refusals = []struct {
	name, kind string
	fault      faultproxy.Fault
}{
	{"a token that may only read", "unauthorized", s3Error(403, "AccessDenied")},
	{"an upload limit", "not-stored", s3Error(413, "EntityTooLarge")},
	{"bytes altered on the way", "not-stored", s3Error(400, "InvalidDigest")},
	{"a header that is too large", "not-stored", s3Error(400, "MetadataTooLarge")},
	{"a limit of a proxy without words", "not-stored", answers(413)},
	{"a login page", "protocol-error", loginPage},
	{"a redirect", "protocol-error", redirect},
	{"not implemented", "protocol-error", answers(501)},
}

func s3Error(status int, code string) faultproxy.Fault {
	return withBody(
		answers(status),
		"application/xml",
		`<?xml version="1.0"?><Error><Code>`+code+`</Code><Message>no</Message></Error>`,
	)
}

// TestRefusedUploadSealsNobody: a rollback that cannot write finds out before it stops anybody's writes, and
// the run ends with the first user.
func TestRefusedUploadSealsNobody(t *testing.T) {
	for _, c := range effort.Some(t, "refusals of an upload", refusals, 2) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			team, claims := moved(t, 3), new(atomic.Int64)
			f := team.rollsBack(t, func(r faultproxy.Request) faultproxy.Fault {
				if r.Claims() {
					claims.Add(1)
				}
				return refuses(r, strings.HasSuffix(r.Path, "database.sqlite"), c.fault)
			}, "--concurrency", "1")
			if claims.Load() != 0 {
				t.Errorf("%d claims were sent", claims.Load())
			}
			if f.Summary.NotBegun != len(team.users)-1 { // nobody after the first
				t.Errorf("%d users were not begun: %v", f.Summary.NotBegun, f)
			}
			team.mustBeBack(t, f, c.kind)
		})
	}
}

// TestRefusedUploadReopens: where one user's file alone is refused, after the seal, the Durable Object serves
// the user again by itself.
func TestRefusedUploadReopens(t *testing.T) {
	for _, c := range effort.Some(t, "refusals of an upload", refusals, 2) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			team := moved(t, 1)
			f := team.rollsBack(t, func(r faultproxy.Request) faultproxy.Fault {
				return refuses(r, strings.HasSuffix(r.Path, string(harnessKey(team))), c.fault)
			})
			team.mustBeBack(t, f, c.kind)
		})
	}
}

// TestRefusedLaterReopens: whatever is refused from some request on, after the seal, a user with a file that
// is still fenced is served.
func TestRefusedLaterReopens(t *testing.T) {
	for _, where := range []string{"admin digest", "admin schema", "admin rows", "R2 GET"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			team, claimed := moved(t, 1), new(atomic.Bool)
			once := new(atomic.Bool)
			f := team.rollsBack(t, faultproxy.SingleRequests(func(r faultproxy.Request) faultproxy.Fault {
				claimed.Store(claimed.Load() || r.Name() == "admin claim")
				if claimed.Load() && r.Name() == where && once.CompareAndSwap(false, true) {
					return answers(400)
				}
				return faultproxy.Fault{}
			}))
			kind := "edge-blocked" // no answer of the Worker's looks like that
			if where == "R2 GET" {
				kind = "protocol-error"
			}
			team.mustBeBack(t, f, kind)
		})
	}
}

func refuses(r faultproxy.Request, hit bool, fault faultproxy.Fault) faultproxy.Fault {
	if (r.Name() == "R2 PUT" || r.Name() == "R2 probe PUT") && hit {
		return fault
	}
	return faultproxy.Fault{}
}

// moved are users in their Durable Objects, who have written there.
func moved(t *testing.T, users int) team {
	t.Helper()
	team := newTeam(t, users)
	must(t, team.op, 0, append([]string{"migrate"}, team.names()...)...)
	for _, u := range team.users {
		mustWrite(t, u)
	}
	return team
}

func harnessKey(t team) userdb.ObjectKey { return "/" + harness.Key(t.users[0].Name) }

func (tm team) rollsBack(t *testing.T, rule faultproxy.Rule, flags ...string) harness.Finished {
	t.Helper()
	tm.op.Proxy.Reset(rule)
	f := must(t, tm.op, 1, append(append([]string{"rollback"}, tm.names()...), flags...)...)
	tm.op.Proxy.Reset(nil)
	return f
}

// mustBeBack demands that the Durable Objects serve as if there had been no rollback, and that the same
// command ends it once nothing is refused.
func (tm team) mustBeBack(t *testing.T, f harness.Finished, kind string) {
	t.Helper()
	states, err := tm.op.States(tm.names()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range tm.users {
		a := f.Accounts[u.Name]
		if a.Open || states[u.Name].Serves != "object" || states[u.Name].Problem != "" {
			t.Errorf("%s: %+v, and status says %+v", u.Name, a, states[u.Name])
		}
		if a.Error == nil || a.Error.Kind != kind && a.Error.Kind != "interrupted" {
			t.Errorf("%s: %v", u.Name, f)
		}
		mustBeServed(t, u)
	}
	mustFinish(t, tm, "rollback", "file")
}
