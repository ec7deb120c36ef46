package faults

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/faultproxy"
)

// expired is how each service refuses a credential that was good a moment ago.
var expired = map[string]faultproxy.Fault{
	bucket: withBody(answers(403), "application/xml", `<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>`),
	flags:  withBody(answers(401), "application/json", `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}`),
	worker: withBody(answers(401), "application/json", `{"error":{"kind":"unauthorized","message":"the token is not the Worker's DBMIGRATE_TOKEN"}}`),
}

// TestExpiry lets each credential expire at each request of migrate and of rollback in turn, and stay so.
func TestExpiry(t *testing.T) {
	for service, refusal := range expired {
		for _, c := range []struct{ command, before, serves string }{{"migrate", "", "store"}, {"rollback", "migrate", "file"}} {
			for n := range requests(t, service, c.command, c.before) {
				t.Run(fmt.Sprintf("%s/%s/%02d", c.command, service, n), func(t *testing.T) {
					t.Parallel()
					op, users := prepared(t, c.before)
					op.suffers(c.command, c.serves, users, fromOn(service, n, refusal), []string{"unauthorized"})
				})
			}
		}
	}
}

func prepared(t *testing.T, before string) (*operator, []*subject) {
	t.Helper()
	op, users := newOperator(t), []*subject{newSubject(t)}
	if before != "" {
		op.must(0, before, users[0].name)
		users[0].write()
	}
	return op, users
}

// requests counts what an undisturbed command sends to the service.
func requests(t *testing.T, service, command, before string) int {
	t.Helper()
	op, users := prepared(t, before)
	op.proxy.Reset(nil)
	op.must(0, command, users[0].name)
	count := 0
	for _, r := range op.proxy.Seen() {
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
