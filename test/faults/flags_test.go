package faults

import (
	"sync/atomic"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// TestUnsuccessfulKeys: KV takes a bulk call and names keys that it did not write. They are written again.
func TestUnsuccessfulKeys(t *testing.T) {
	t.Parallel()
	team := newTeam(t, 2)
	for _, c := range []struct{ command, serves, flagCall string }{
		{"migrate", "object", "KV PUT bulk"},
		{"rollback", "file", "KV POST delete"},
	} {
		var calls atomic.Int64
		mustSuffer(
			t,
			team,
			c.command,
			c.serves,
			firstUnsuccessful(c.flagCall, team.users[1].Name, &calls),
			nil,
		)
		if calls.Load() < 2 {
			t.Errorf("%s sent %s %d times", c.command, c.flagCall, calls.Load())
		}
	}
}

// firstUnsuccessful names the user's key in the answer to the first such call.
func firstUnsuccessful(flagCall, user string, calls *atomic.Int64) faultproxy.Rule {
	return func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != flagCall || calls.Add(1) > 1 {
			return faultproxy.Fault{}
		}
		return unsuccessful(user)
	}
}
