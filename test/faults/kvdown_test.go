package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// TestRollbackWithoutKV: a namespace that refuses every call keeps nobody in a Durable Object, however the
// users are chosen. Their flags are left, which stops no other user, and the same command deletes them once
// KV answers.
func TestRollbackWithoutKV(t *testing.T) {
	refused := func(r faultproxy.Request) faultproxy.Fault {
		if strings.HasPrefix(r.Name(), flags) {
			return expired[flags]
		}
		return faultproxy.Fault{}
	}
	for name, c := range map[string]struct {
		choose func(names []string, run string) []string
		unread bool // the choice itself reads flags
	}{
		"named": {func(names []string, _ string) []string { return names }, false},
		"all": {func(names []string, _ string) []string {
			return []string{"--all", "--prefix", names[0][:len(names[0])-2]}
		}, true},
		"by run": {func(_ []string, run string) []string { return []string{"--run", run} }, true},
		"by time": {func(names []string, _ string) []string {
			return []string{"--since", "1h", "--prefix", names[0][:len(names[0])-2]}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			team := newNamedTeam(t, 3)
			run := must(t, team.op, 0, append([]string{"migrate"}, team.names()...)...).Summary.Run
			mustWrite(t, team.users[0])
			args := append(
				[]string{"rollback", "--max-failures", "1", "--concurrency", "1"},
				c.choose(team.names(), run)...)

			team.op.Proxy.Reset(refused)
			f := must(t, team.op, 1, args...)
			team.op.Proxy.Reset(nil)

			left := slices.Clone(team.names())
			slices.Sort(left)
			if s := f.Summary; !slices.Equal(s.FlagsLeft, left) || s.FlagsUnread != c.unread ||
				s.Failed != 0 ||
				s.NotBegun != 0 {
				t.Errorf("the summary is %+v: %v", s, f)
			}
			if !strings.Contains(f.Stderr, "flags left: 3 flags") ||
				strings.Count(f.Stderr, "delete the flag of") != 1 {
				t.Errorf("stderr does not say once which flags are left: %v", f)
			}
			now, err := team.op.States(team.names()...)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range team.users {
				if now[u.Name].Serves != "file" || f.Accounts[u.Name].Outcome == "failed" {
					t.Errorf("%s is served by %s: %v", u.Name, now[u.Name].Serves, f)
				}
				mustBeServed(t, u)
			}
			if again := must(t, team.op, 0, args...); len(again.Accounts) != 3 {
				t.Errorf("the next run does not retry the flags: %v", again)
			}
			users, exit := 3, 0
			if c.unread {
				users, exit = 0, 2 // without a flag no user is selected
			}
			if last := must(t, team.op, exit, args...); len(last.Accounts) != users {
				t.Errorf("flags are still left: %v", last)
			}
		})
	}
}

// newNamedTeam is a team with a common prefix of its names that nobody else has.
func newNamedTeam(t *testing.T, users int) team {
	t.Helper()
	prefix := fmt.Sprintf("kvdown-%d", userNumber.Add(1))
	return newTeamOf(t, prefix, users)
}
