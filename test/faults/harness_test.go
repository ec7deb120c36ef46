package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

var (
	cloud  *stack.Stack
	binary string
	image  []byte // of the file with which each user begins
)

func TestMain(m *testing.M) {
	// What these tests do most is wait for a command that waits for its next attempt.
	flag.Parse()
	flag.Set("test.parallel", "8")
	dir, err := os.MkdirTemp("", "dbmigrate-faults-")
	if err == nil {
		binary, err = harness.Build(context.Background(), "../..", dir)
	}
	if err == nil {
		image, err = harness.Image(imageSchema)
	}
	code := 1
	if err == nil {
		code = stack.RunTests(m, stack.Options{}, func(s *stack.Stack) { cloud = s })
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func newOperator(t *testing.T) *harness.Operator {
	t.Helper()
	op, err := harness.NewOperator(cloud, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(op.Close)
	return op
}

var userNumber atomic.Int64

// newTeam is an operator with so many users, all with a file in R2.
func newTeam(t *testing.T, users int) team {
	t.Helper()
	team := team{op: newOperator(t)}
	for range users {
		u, err := harness.NewUser(cloud, fmt.Sprintf("subject-%d", userNumber.Add(1)), image)
		if err != nil {
			t.Fatal(err)
		}
		team.users = append(team.users, u)
	}
	return team
}

func must(t *testing.T, op *harness.Operator, exit int, args ...string) harness.Finished {
	t.Helper()
	f, err := op.Must(exit, args...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustSuffer(t *testing.T, team team, command, serves string, rule faultproxy.Rule, stops []string) {
	t.Helper()
	f, err := team.suffers(command, serves, rule, stops)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(f.Line())
}

func mustFinish(t *testing.T, team team, command, serves string) {
	t.Helper()
	if err := team.finishes(command, serves); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t *testing.T, u *harness.User) {
	t.Helper()
	if err := u.Write(); err != nil {
		t.Fatal(err)
	}
}

func mustBeServed(t *testing.T, u *harness.User) {
	t.Helper()
	mustWrite(t, u)
	if err := u.Check(); err != nil {
		t.Fatal(err)
	}
}

// newTeamOf is a team with names that begin with the prefix and end with a dash and a digit.
func newTeamOf(t *testing.T, prefix string, users int) team {
	t.Helper()
	team := team{op: newOperator(t)}
	for n := range users {
		u, err := harness.NewUser(cloud, fmt.Sprintf("%s-%d", prefix, n), image)
		if err != nil {
			t.Fatal(err)
		}
		team.users = append(team.users, u)
	}
	return team
}
