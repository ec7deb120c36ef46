package faults

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/breaker"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// comeback is a service that does not answer from the fourth claim of a run on, and is back after the run
// has asked in vain, in its breaker's way, as often as patience says.
type comeback struct {
	name, who string                        // in messages and in the names of requests
	asks      func(faultproxy.Request) bool // with which request the breaker asks

	mu     sync.Mutex
	claims int
	asked  int
}

const patience = 8

// comebackUsers are moved so many at a time. Those fail who are in flight when the third in a row fails.
const (
	comebackUsers  = 12
	comebackAtOnce = 3
	mostOfComeback = breaker.MostInARow + comebackAtOnce - 1
)

func (c *comeback) rule(r faultproxy.Request) faultproxy.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Claims() {
		c.claims++
	}
	if c.claims < 4 || c.asked >= patience || !strings.HasPrefix(r.Name(), c.who) {
		return faultproxy.Fault{}
	}
	if c.asks(r) {
		c.asked++
	}
	return answers(503)
}

// TestAServiceComesBack: a fleet that meets a dead service behind its first users waits for it, loses few
// users to it, and goes on. The same command moves those few.
func TestAServiceComesBack(t *testing.T) {
	t.Parallel()
	all := []*comeback{
		{name: "the Worker", who: worker, asks: func(r faultproxy.Request) bool { return r.Name() == worker+" hello" }},
		{name: "R2", who: bucket, asks: func(r faultproxy.Request) bool {
			return r.Name() == bucket+" GET" && strings.HasSuffix(strings.TrimSuffix(r.Path, "/"), "/"+cloud.Bucket)
		}},
	}
	for _, c := range effort.Some(t, "services that come back", all, 1) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			team := newNamedTeam(t, comebackUsers)
			args := append([]string{"migrate", "--concurrency", strconv.Itoa(comebackAtOnce)}, team.names()...)
			team.op.Proxy.LeaveAlone()
			team.op.Proxy.Reset(c.rule)
			f := must(t, team.op, 1, args...)
			team.op.Proxy.Reset(nil)

			moved := 0
			for _, a := range f.Accounts {
				if a.Outcome == "migrated" {
					moved++
				} else if a.Error == nil || a.Error.Kind != "unreachable" {
					t.Errorf("%+v", a)
				}
			}
			if s := f.Summary; s.NotBegun != 0 || s.Failed == 0 || s.Failed > mostOfComeback ||
				moved != comebackUsers-s.Failed {
				t.Errorf("%d moved, and the summary is %+v: %v", moved, s, f)
			}
			if c.asked < patience {
				t.Errorf("asked %d times: %v", c.asked, f)
			}
			for _, want := range []string{"waiting for " + c.name + " (try 1 of ", "going on"} {
				if !strings.Contains(f.Stderr, want) {
					t.Errorf("it does not say %q: %v", want, f)
				}
			}
			must(t, team.op, 0, args...)
			for _, u := range team.users {
				mustBeServed(t, u)
			}
		})
	}
}
