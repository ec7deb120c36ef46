package faults

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

// TestTwoOperators lets two operators work on the same user at once, with the same command and with opposite
// ones. One of them gets the user; the other one finds nothing to do, or says that it was superseded.
func TestTwoOperators(t *testing.T) {
	for _, c := range []struct{ name, before, first, second string }{
		{"migrate and migrate", "", "migrate", "migrate"},
		{"migrate and rollback", "", "migrate", "rollback"},
		{"rollback and rollback", "migrate", "rollback", "rollback"},
		{"rollback and migrate", "migrate", "rollback", "migrate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			team := prepared(t, c.before)
			first, second, u := team.op, newOperator(t), team.users[0]
			arrive := together(first, second)
			var done [2]harness.Finished
			var errs [2]error
			var both sync.WaitGroup
			both.Go(func() { done[0], errs[0] = first.Run(c.first, u.Name); arrive[0]() })
			both.Go(func() { done[1], errs[1] = second.Run(c.second, u.Name); arrive[1]() })
			both.Wait()
			for i, f := range done {
				t.Log(f.Line())
				a := f.Accounts[u.Name]
				if errs[i] != nil ||
					f.Exit != 0 && (f.Exit != 1 || a.Error == nil || a.Error.Kind != "superseded") {
					t.Fatalf("%v: %v", errs[i], f)
				}
			}
			if done[0].Exit != 0 && done[1].Exit != 0 {
				t.Fatalf("both were superseded: %v%v", done[0], done[1])
			}
			mustBeServed(t, u)
			mustFinish(t, team, "migrate", "object")
			team.op = second
			mustFinish(t, team, "rollback", "file")
		})
	}
}

// together makes two operators wait for each other before their first claim, so that they really are at work
// at once. The returned functions are for one that ended: it may have had nothing to claim, and nobody has to
// wait for it any more.
func together(operators ...*harness.Operator) (arrive []func()) {
	var all sync.WaitGroup
	all.Add(len(operators))
	for _, o := range operators {
		once := sync.OnceFunc(all.Done)
		arrive = append(arrive, once)
		o.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
			if !r.Claims() {
				return faultproxy.Fault{}
			}
			return faultproxy.Fault{Before: func() { once(); all.Wait() }}
		})
	}
	return arrive
}

// TestInterrupt presses Ctrl-C in the middle of a run over a fleet, at each kind of request that the command
// sends to a Durable Object.
func TestInterrupt(t *testing.T) {
	moments := []struct{ command, before, serves, at string }{
		{"migrate", "", "object", "admin import"},
		{"migrate", "", "object", "admin switch"},
		{"rollback", "migrate", "file", "admin return"},
		{"migrate", "", "object", "admin claim"},
		{"migrate", "", "object", "admin rows"},
		{"migrate", "", "object", "R2 PUT"},
		{"migrate", "", "object", "admin activate"},
		{"rollback", "migrate", "file", "admin claim"},
		{"rollback", "migrate", "file", "R2 PUT"},
		{"rollback", "migrate", "file", "admin release"},
	}
	for _, c := range effort.Some(t, "moments of an interrupt", moments, 2) {
		t.Run(c.command+" at "+c.at, func(t *testing.T) {
			t.Parallel()
			team := newTeam(t, 6)
			if c.before != "" {
				must(t, team.op, 0, append([]string{c.before}, team.names()...)...)
			}
			team.op.Proxy.Reset(interruptAt(team.op, c.at))
			f := must(t, team.op, 130, append([]string{c.command, "--concurrency", "2"}, team.names()...)...)
			team.op.Proxy.Reset(nil)
			t.Log(f.Line())
			if !f.Summary.Interrupted || f.Summary.NotBegun == 0 || len(f.Accounts) != len(team.users) {
				t.Fatalf("no clear account: %v", f)
			}
			for _, u := range team.users {
				if f.Accounts[u.Name].Open {
					t.Fatalf("%s was left open: %v", u.Name, f)
				}
				mustBeServed(t, u)
			}
			mustFinish(t, team, c.command, c.serves)
		})
	}
}

// interruptAt sends SIGINT when the second request of that name passes, once.
func interruptAt(op *harness.Operator, name string) faultproxy.Rule {
	var seen atomic.Int64
	rule := func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != name || seen.Add(1) != 2 {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Before: func() { op.Signal(os.Interrupt) }}
	}
	if slices.Contains([]string{"admin import", "admin switch", "admin return"}, name) {
		return rule
	}
	return faultproxy.SingleRequests(rule)
}
