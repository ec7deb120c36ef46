package faults

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

// claims counts the claims that each user got through an operator's proxy.
func claims(op *harness.Operator) map[string]int {
	counts := map[string]int{}
	for _, r := range op.Proxy.Seen() {
		if r.Claims() {
			parts := strings.Split(r.Path, "/")
			counts[parts[len(parts)-2]]++
		}
	}
	return counts
}

func namesOf(users []*harness.User) []string {
	var names []string
	for _, u := range users {
		names = append(names, u.Name)
	}
	return names
}

// sides counts how many users each side serves.
func sides(t *testing.T, op *harness.Operator, users []*harness.User) map[string]int {
	t.Helper()
	states, err := op.States(namesOf(users)...)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, s := range states {
		counts[s.Serves]++
	}
	return counts
}

// Two shards work on one fleet at the same time: everybody is moved, and nobody is even claimed by both.
func TestTwoShardsAtTheSameTime(t *testing.T) {
	t.Parallel()
	team := newTeam(t, 10)
	operators := []*harness.Operator{team.op, newOperator(t)}
	ends, errs := make([]harness.Finished, 2), make([]error, 2)
	var both sync.WaitGroup
	for i, op := range operators {
		both.Go(func() {
			ends[i], errs[i] = op.Run(
				append([]string{"migrate", "--shard", fmt.Sprintf("%d/2", i+1)}, namesOf(team.users)...)...)
		})
	}
	both.Wait()
	all := map[string]int{}
	for i, op := range operators {
		if errs[i] != nil || ends[i].Exit != 0 {
			t.Fatalf("shard %d: %v\n%v", i+1, errs[i], ends[i])
		}
		claimed := claims(op)
		if len(claimed) == 0 || len(claimed) != len(ends[i].Accounts) {
			t.Errorf("shard %d claimed %v and reports %d users", i+1, claimed, len(ends[i].Accounts))
		}
		for u, n := range claimed {
			all[u] += n
		}
	}
	for _, u := range team.users {
		if all[u.Name] != 1 {
			t.Errorf("%s was claimed %d times", u.Name, all[u.Name])
		}
		mustBeServed(t, u)
	}
	if served := sides(t, team.op, team.users); served["object"] != len(team.users) {
		t.Errorf("served: %v", served)
	}
}

// A machine dies between a user's fence and the switch. The next run of the same shard, elsewhere, takes its
// users over and ends what is open; who was moved already is not moved again.
func TestKilledShardIsTakenOver(t *testing.T) {
	t.Parallel()
	team, next := newTeam(t, 6), newOperator(t)
	var mu sync.Mutex
	activations := 0
	team.op.Proxy.Reset(faultproxy.SingleRequests(func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != "admin activate" {
			return faultproxy.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		if activations++; activations == 1 {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Swallow: true, Cut: true, Before: team.op.Kill}
	}))
	args := append([]string{"migrate", "--shard", "1/1", "--concurrency", "1"}, namesOf(team.users)...)
	if f, err := team.op.Run(args...); err != nil || f.Exit != -1 {
		t.Fatalf("it was not killed: %v\n%v", err, f)
	}
	if left := sides(t, next, team.users); left["object"] != 1 || left["none"] != 1 || left["file"] != 4 {
		t.Fatalf("the kill left %v, which is not what this test is about", left)
	}
	outcomes := map[string]int{}
	for _, a := range must(t, next, 0, args...).Accounts {
		outcomes[a.Outcome]++
	}
	if outcomes["migrated"] != 5 || outcomes["already"] != 1 {
		t.Errorf("outcomes: %v", outcomes)
	}
	for _, u := range team.users {
		mustBeServed(t, u)
	}
}
