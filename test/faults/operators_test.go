package faults

import (
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/faultproxy"
)

// TestTwoOperators lets two operators work on the same user at once, with the same command and with opposite ones. One of them gets the user;
// the other one finds nothing to do, or says that it was superseded.
func TestTwoOperators(t *testing.T) {
	for _, c := range []struct{ name, before, first, second string }{
		{"migrate and migrate", "", "migrate", "migrate"},
		{"migrate and rollback", "", "migrate", "rollback"},
		{"rollback and rollback", "migrate", "rollback", "rollback"},
		{"rollback and migrate", "migrate", "rollback", "migrate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first, users := prepared(t, c.before)
			second, u := newOperator(t), users[0]
			arrive := together(first, second)
			var done [2]finished
			var errs [2]error
			var both sync.WaitGroup
			both.Go(func() { done[0], errs[0] = first.run(c.first, u.name); arrive[0]() })
			both.Go(func() { done[1], errs[1] = second.run(c.second, u.name); arrive[1]() })
			both.Wait()
			for i, f := range done {
				t.Log(f.account())
				a := f.accounts[u.name]
				if errs[i] != nil || f.exit != 0 && (f.exit != 1 || a.Error == nil || a.Error.Kind != "superseded") {
					t.Fatalf("%v: %v", errs[i], f)
				}
			}
			if done[0].exit != 0 && done[1].exit != 0 {
				t.Fatalf("both were superseded: %v%v", done[0], done[1])
			}
			u.write()
			u.check()
			first.mustFinish("migrate", "store", users)
			second.mustFinish("rollback", "file", users)
		})
	}
}

// together makes two operators wait for each other before their first claim, so that they really are at work at once. The returned functions are
// for one that ended: it may have had nothing to claim, and nobody has to wait for it any more.
func together(operators ...*operator) (arrive []func()) {
	var all sync.WaitGroup
	all.Add(len(operators))
	for _, o := range operators {
		once := sync.OnceFunc(all.Done)
		arrive = append(arrive, once)
		o.proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
			if r.Name() != "admin claim" {
				return faultproxy.Fault{}
			}
			return faultproxy.Fault{Before: func() { once(); all.Wait() }}
		})
	}
	return arrive
}

// TestInterrupt presses Ctrl-C in the middle of a run over a fleet, at each kind of request that the command sends to a Durable Object.
func TestInterrupt(t *testing.T) {
	for _, c := range []struct{ command, before, serves, at string }{
		{"migrate", "", "store", "admin claim"},
		{"migrate", "", "store", "admin rows"},
		{"migrate", "", "store", "R2 PUT"},
		{"migrate", "", "store", "admin activate"},
		{"rollback", "migrate", "file", "admin claim"},
		{"rollback", "migrate", "file", "R2 PUT"},
		{"rollback", "migrate", "file", "admin release"},
	} {
		t.Run(c.command+" at "+c.at, func(t *testing.T) {
			t.Parallel()
			op := newOperator(t)
			var users []*subject
			for range 6 {
				users = append(users, newSubject(t))
			}
			if c.before != "" {
				op.must(0, append([]string{c.before}, names(users)...)...)
			}
			op.proxy.Reset(interruptAt(op, c.at))
			f := op.must(130, append([]string{c.command, "--concurrency", "2"}, names(users)...)...)
			op.proxy.Reset(nil)
			t.Log(strings.TrimSpace(f.account()))
			if !f.interrupted || f.notBegun == 0 || len(f.accounts) != len(users) {
				t.Fatalf("no clear account: %v", f)
			}
			for _, u := range users {
				if f.accounts[u.name].Open {
					t.Fatalf("%s was left open: %v", u.name, f)
				}
				u.write()
				u.check()
			}
			op.mustFinish(c.command, c.serves, users)
		})
	}
}

// interruptAt sends SIGINT when the second request of that name passes, once.
func interruptAt(op *operator, name string) faultproxy.Rule {
	var seen atomic.Int64
	return func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != name || seen.Add(1) != 2 {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Before: func() { op.process.Load().Signal(syscall.SIGINT) }}
	}
}
