package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// TestExpiry lets each credential expire at each request of migrate and of rollback in turn, and stay so.
func TestExpiry(t *testing.T) {
	type expiry struct {
		service, command, before, serves string
		n                                int
	}
	var all []expiry
	for _, service := range slices.Sorted(maps.Keys(expired)) {
		for _, c := range []expiry{{command: "migrate", serves: "object"}, {command: "rollback", before: "migrate", serves: "file"}} {
			c.service = service
			for c.n = range requests(t, service, c.command, c.before) {
				all = append(all, c)
			}
		}
	}
	for _, c := range effort.Some(t, "requests at which a credential expires", all, 2) {
		t.Run(fmt.Sprintf("%s/%s/%02d", c.command, c.service, c.n), func(t *testing.T) {
			t.Parallel()
			mustSuffer(
				t,
				prepared(t, c.before),
				c.command,
				c.serves,
				fromOn(c.service, c.n, expired[c.service]),
				[]string{"unauthorized"},
			)
		})
	}
}

// prepared is one user after the command before, if there is one.
func prepared(t *testing.T, before string) team {
	t.Helper()
	team := newTeam(t, 1)
	if before != "" {
		must(t, team.op, 0, before, team.users[0].Name)
		mustWrite(t, team.users[0])
	}
	return team
}

// requests counts what an undisturbed command sends to the service.
func requests(t *testing.T, service, command, before string) int {
	t.Helper()
	team := prepared(t, before)
	team.op.Proxy.Reset(nil)
	must(t, team.op, 0, command, team.users[0].Name)
	count := 0
	for _, r := range team.op.Proxy.Seen() {
		if strings.HasPrefix(r.Name(), service) {
			count++
		}
	}
	if count == 0 {
		t.Fatalf("%s sends nothing to %s", command, service)
	}
	return count
}

// fromOn refuses the service's n-th request and all that follow.
func fromOn(service string, n int, refusal faultproxy.Fault) faultproxy.Rule {
	var mu sync.Mutex
	seen := 0
	return func(r faultproxy.Request) faultproxy.Fault {
		if !strings.HasPrefix(r.Name(), service) {
			return faultproxy.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		seen++
		if seen <= n {
			return faultproxy.Fault{}
		}
		return refusal
	}
}
